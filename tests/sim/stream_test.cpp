// SPDX-License-Identifier: Apache-2.0
//
// Streams from caller to callee, and both ways, over nodes that crash and links that are cut: each ends
// once, whole or with an error, and leaves nothing behind at either end.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "echo.cobus.h"
#include "node/runtime/scope.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/sim/sim_cluster.hpp"

namespace cobus::sim {
namespace {

using echo::CollectReply;
using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What became of one call.
struct Ended {
  int sent = 0;
  int answers = 0;
  bool in_order = true;
  std::optional<Status> status;  // once it is over
  std::uint64_t counted = 0;     // by the callee
};

EchoRequest item(int number, std::size_t bytes) {
  EchoRequest request;
  request.set_text(std::to_string(number));
  request.mutable_text()->resize(std::max(bytes, request.text().size()), ' ');
  return request;
}

Task<> collect(Self self, NodeId to, int count, std::size_t bytes, Duration pace, Ended* ended) {
  auto call = echo::EchoStub(self, to).Collect();
  for (int i = 0; i < count; ++i) {
    const Status sent = co_await call.send(item(i, bytes));
    if (!sent.ok()) break;
    ++ended->sent;
    if (pace > Duration(0)) static_cast<void>(co_await sleep(pace));
  }
  Result<CollectReply> reply = co_await call.finish();
  if (reply) ended->counted = reply->count();
  ended->status = reply ? Status() : reply.error();
}

Task<> send_all(Exchange<EchoRequest, EchoReply>* call, int count, Duration pace, Ended* ended) {
  for (int i = 0; i < count; ++i) {
    const Status sent = co_await call->send(item(i, 0));
    if (!sent.ok()) co_return;
    ++ended->sent;
    if (pace > Duration(0)) static_cast<void>(co_await sleep(pace));
  }
  call->end();
}

Task<> chat(Self self, NodeId to, int count, Duration pace, Ended* ended) {
  auto call = echo::EchoStub(self, to).Chat();
  Scope scope;
  scope.spawn(send_all(&call, count, pace, ended));
  while (std::optional<EchoReply> reply = co_await call.next()) {
    if (reply->text() != std::to_string(ended->answers++)) ended->in_order = false;
  }
  static_cast<void>(co_await scope.join());
  ended->status = call.status();
}

class SimStreams {
 public:
  explicit SimStreams(std::uint64_t seed) : cluster(seed) { EXPECT_TRUE(cluster.start({"alpha", "beta"})); }
  Node& node(const std::string& name) { return *cluster.process(name).node; }
  template <class Function, class... Arguments>
  void spawn(Function function, Arguments... arguments) {
    node("alpha").spawn("test.caller", function, node("beta").id(), std::move(arguments)...);
  }
  bool over(const std::vector<Ended>& calls, Duration longest) {
    return cluster.run_until(
        [&calls] {
          return std::ranges::all_of(calls, [](const Ended& ended) { return ended.status.has_value(); });
        },
        longest);
  }
  // Streams that do not end by themselves, a while under way: two at a pace, and with `fast_bytes` two more
  // as fast as they may, one of them with items of that size.
  void begin_endless(std::vector<Ended>& calls, std::optional<std::size_t> fast_bytes) {
    calls.resize(fast_bytes ? 4 : 2);
    spawn(&collect, 100'000, std::size_t{0}, Duration(milliseconds(5)), &calls[0]);
    spawn(&chat, 100'000, Duration(milliseconds(5)), &calls[1]);
    if (fast_bytes) {
      spawn(&collect, 100'000, *fast_bytes, Duration(0), &calls[2]);
      spawn(&chat, 100'000, Duration(0), &calls[3]);
    }
    cluster.run_for(milliseconds(300));
    EXPECT_GT(calls[0].sent, 10);
    EXPECT_GT(calls[1].answers, 10);
  }
  // Handlers that run at `name`; the node's own watches apart.
  std::uint32_t handlers(const std::string& name) { return node(name).calls_running.load(); }

  SimCluster cluster;
};

TEST(SimStream, M1_StreamsToAnotherNodeAndBothWaysArriveWholeAndInOrder) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimStreams sim(seed);
    std::vector<Ended> calls(4);
    sim.spawn(&collect, 500, std::size_t{0}, Duration(0), &calls[0]);
    sim.spawn(&collect, 0, std::size_t{0}, Duration(0), &calls[1]);
    sim.spawn(&chat, 500, Duration(0), &calls[2]);
    sim.spawn(&chat, 0, Duration(0), &calls[3]);
    ASSERT_TRUE(sim.over(calls, seconds(25)));
    for (const Ended& ended : calls) {
      EXPECT_TRUE(ended.status->ok()) << ended.status->to_string();
      EXPECT_TRUE(ended.in_order);
    }
    EXPECT_EQ(calls[0].counted, 500U);
    EXPECT_EQ(calls[2].answers, 500);
    sim.cluster.run_for(seconds(1));
    EXPECT_EQ(sim.handlers("beta"), 0U);
  }
}

TEST(SimStream, M4_AStreamToANodeThatIsKilledEndsThen) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimStreams sim(seed);
    std::vector<Ended> calls;
    sim.begin_endless(calls, 0);
    sim.cluster.kill("beta");
    ASSERT_TRUE(sim.over(calls, seconds(8))) << "before the deadline of 30 s";
    for (const Ended& ended : calls) EXPECT_EQ(ended.status->code(), Code::unavailable);
    sim.cluster.run_for(seconds(1));
    EXPECT_EQ(sim.handlers("alpha"), 0U);
  }
}

TEST(SimStream, TheHandlersOfACallerThatIsKilledEndThen) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimStreams sim(seed);
    std::vector<Ended> calls;
    sim.begin_endless(calls, std::nullopt);
    EXPECT_EQ(sim.handlers("beta"), 2U);
    sim.cluster.kill("alpha");
    EXPECT_TRUE(sim.cluster.run_until([&] { return sim.handlers("beta") == 0; }, seconds(8)));
  }
}

TEST(SimStream, M4_ACutEndsBothEndsOfEveryStream) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimStreams sim(seed);
    std::vector<Ended> calls;
    sim.begin_endless(calls, 2000);
    const std::string alpha = sim.cluster.process("alpha").host;
    const std::string beta = sim.cluster.process("beta").host;
    sim.cluster.network().cut(alpha, beta);
    ASSERT_TRUE(sim.over(calls, seconds(12)));
    for (const Ended& ended : calls) {
      EXPECT_EQ(ended.status->code(), Code::unavailable) << ended.status->to_string();
      EXPECT_TRUE(ended.in_order);
    }
    EXPECT_TRUE(sim.cluster.run_until([&] { return sim.handlers("beta") == 0; }, seconds(12)));
    sim.cluster.network().heal(alpha, beta);
    Ended again;
    sim.cluster.run_for(seconds(5));
    sim.spawn(&chat, 100, Duration(0), &again);
    ASSERT_TRUE(sim.cluster.run_until([&] { return again.status.has_value(); }, seconds(20)));
    EXPECT_TRUE(again.status->ok()) << again.status->to_string();
    EXPECT_EQ(again.answers, 100);
  }
}

TEST(SimStream, LargeItemsArriveWholeAlsoWhenTheyAreMoreThanMayWaitForANode) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimStreams sim(seed);
    std::vector<Ended> calls(2);
    // Credit for 64 items of half a MiB is four times what may wait.
    sim.spawn(&collect, 100, std::size_t{512 * 1024}, Duration(0), &calls[0]);
    sim.spawn(&chat, 100, Duration(0), &calls[1]);
    ASSERT_TRUE(sim.over(calls, seconds(25)));
    for (const Ended& ended : calls) EXPECT_TRUE(ended.status->ok()) << ended.status->to_string();
    EXPECT_EQ(calls[0].counted, 100U);
    EXPECT_EQ(calls[1].answers, 100);
  }
}

TEST(SimStream, WhatALinkCannotTakeEndsItsStreamThen) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimStreams sim(seed);
    std::vector<Ended> calls(20);
    for (Ended& ended : calls) sim.spawn(&collect, 10, std::size_t{1000 * 1024}, Duration(0), &ended);
    ASSERT_TRUE(sim.over(calls, seconds(8))) << "before the deadline of 30 s";
    int refused = 0;
    for (const Ended& ended : calls) {
      if (ended.status->ok()) {
        EXPECT_EQ(ended.counted, 10U) << "whole, or not at all";
      } else {
        EXPECT_EQ(ended.status->code(), Code::resource_exhausted) << ended.status->to_string();
        ++refused;
      }
    }
    EXPECT_GT(refused, 0) << "else this shows nothing";
    Ended after;
    sim.spawn(&chat, 100, Duration(0), &after);
    ASSERT_TRUE(sim.cluster.run_until([&] { return after.status.has_value(); }, seconds(20)));
    EXPECT_TRUE(after.status->ok()) << after.status->to_string();
    EXPECT_EQ(sim.handlers("beta"), 0U);
  }
}

}  // namespace
}  // namespace cobus::sim
