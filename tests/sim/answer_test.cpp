// SPDX-License-Identifier: Apache-2.0
//
// Answers on their way while connections break, nobody takes anything, or the caller's node is lost: each
// call ends once, with its answer or with why there is none.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "node/worker/call.hpp"
#include "node/worker/self.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/sim/sim_cluster.hpp"
#include "tests/support/echo_messages.hpp"

namespace cobus::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Answers every request with so many bytes behind its own text, after a while.
Task<> answer_later(Received<echo::EchoRequest> request, std::size_t bytes, Duration after) {
  static_cast<void>(co_await sleep(after));
  echo::EchoReply reply;
  reply.set_text(request->text() + std::string(bytes, '.'));
  request.reply(std::move(reply));
}

Task<> clerk(Self self, Address* here, std::size_t bytes, Duration after) {
  *here = self.address();
  Scope scope;
  for (;;) {
    auto request = co_await self.receive<echo::EchoRequest>();
    if (!request) break;
    scope.spawn(answer_later(std::move(*request), bytes, after));
  }
  static_cast<void>(co_await scope.join());
}

struct Asked {
  int endings = 0;
  std::optional<Status> status;  // once it is over
  Duration took{};
};

Task<> ask(Self self, Address to, int number, Duration timeout, Asked* asked) {
  const TimePoint begun = self.worker().shard->clock().now();
  const std::string text = std::to_string(number) + ' ';
  CallOptions options;
  options.timeout = timeout;
  Result<echo::EchoReply> reply =
      co_await call_worker<echo::EchoReply>(self, to, say(text), std::move(options));
  asked->took = self.worker().shard->clock().now() - begun;
  ++asked->endings;
  asked->status = !reply ? reply.error()
                  : reply->text().compare(0, text.size(), text) == 0
                      ? Status()
                      : Status(Code::data_loss, "another's answer");
}

class SimAnswers {
 public:
  explicit SimAnswers(std::uint64_t seed) : cluster(seed) { EXPECT_TRUE(cluster.start({"alpha", "beta"})); }
  Node& node(const std::string& name) { return *cluster.process(name).node; }
  void clerk_at_beta(std::size_t bytes, Duration after) {
    node("beta").spawn("test.clerk", &clerk, &to, bytes, after);
    EXPECT_TRUE(cluster.run_until([this] { return static_cast<bool>(to); }, seconds(1)));
  }
  void ask_from_alpha(std::vector<Asked>& calls, Duration timeout) {
    for (std::size_t i = 0; i < calls.size(); ++i)
      node("alpha").spawn("test.ask", &ask, to, static_cast<int>(i), timeout, &calls[i]);
  }
  bool over(const std::vector<Asked>& calls, Duration longest) {
    return cluster.run_until(
        [&calls] {
          return std::ranges::all_of(calls, [](const Asked& asked) { return asked.status.has_value(); });
        },
        longest);
  }
  void cut() { cluster.network().cut(cluster.process("alpha").host, cluster.process("beta").host); }
  void heal() { cluster.network().heal(cluster.process("alpha").host, cluster.process("beta").host); }

  SimCluster cluster;
  Address to;
};

TEST(SimAnswer, M4_EveryCallIsAnsweredOnceThoughConnectionsBreak) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimAnswers sim(seed);
    sim.clerk_at_beta(100, milliseconds(20));
    std::vector<Asked> calls(100);
    Random& random = sim.cluster.network().random();
    const std::string alpha = sim.cluster.process("alpha").host;
    const std::string beta = sim.cluster.process("beta").host;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      sim.node("alpha").spawn("test.ask", &ask, sim.to, static_cast<int>(i), Duration(seconds(20)),
                              &calls[i]);
      if (i % 10 == 5) sim.cluster.network().break_connections(alpha, beta);
      if (i % 30 == 9) sim.cluster.network().break_half(beta, alpha);
      sim.cluster.run_for(random.jitter(milliseconds(10)));
    }
    ASSERT_TRUE(sim.over(calls, seconds(10)));
    sim.cluster.run_for(seconds(1));
    for (const Asked& asked : calls) {
      EXPECT_TRUE(asked.status->ok()) << asked.status->to_string();
      EXPECT_EQ(asked.endings, 1);
    }
    EXPECT_EQ(sim.node("alpha").dead_letters().total() + sim.node("beta").dead_letters().total(), 0U);
  }
}

// The caller's node takes nothing for a while: more waits for it than may, and answers wait beyond that.
TEST(SimAnswer, M4_AnswersWaitBeyondTheBoundOfTheirPeer) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimAnswers sim(seed);
    sim.clerk_at_beta(250'000, milliseconds(100));
    std::vector<Asked> calls(100);  // 25 MB of answers
    sim.ask_from_alpha(calls, seconds(20));
    sim.cluster.run_for(milliseconds(80));
    sim.cut();
    sim.cluster.run_for(seconds(3));
    sim.heal();
    ASSERT_TRUE(sim.over(calls, seconds(10)));
    for (const Asked& asked : calls) EXPECT_TRUE(asked.status->ok()) << asked.status->to_string();
  }
}

// And when it takes nothing for too long, or far too much waits, its session ends, and the callers hear so.
TEST(SimAnswer, M4_CallersHearWhenTheirAnswersCannotBeDelivered) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimAnswers sim(seed);
    const bool too_many = seed % 2 == 0;
    sim.clerk_at_beta(too_many ? 900'000 : 100, milliseconds(100));
    std::vector<Asked> calls(50);  // 45 MB of answers
    sim.ask_from_alpha(calls, seconds(60));
    sim.cluster.run_for(milliseconds(80));
    sim.cut();
    if (too_many) {
      sim.cluster.run_for(seconds(2));
      sim.heal();
    }
    ASSERT_TRUE(sim.over(calls, seconds(7)));
    for (const Asked& asked : calls) {
      EXPECT_EQ(asked.endings, 1);
      if (asked.status->ok()) continue;
      EXPECT_EQ(asked.status->code(), Code::unavailable) << asked.status->to_string();
      EXPECT_LT(asked.took, seconds(7)) << "long before the deadline";
    }
    EXPECT_TRUE(std::ranges::any_of(calls, [](const Asked& asked) { return !asked.status->ok(); }));
  }
}

// Something that a newer release sends, and waits for.
TEST(SimAnswer, WhatAnOlderReleaseDoesNotKnowIsAnsweredUnimplemented) {
  struct Newer final : PendingCall {
    std::optional<Status> heard;
    void answered(EnvelopePtr envelope) noexcept override { heard = envelope->extra().status; }
  };
  SimAnswers sim(1);
  Newer newer;
  newer.callee = sim.node("beta").id();
  sim.node("alpha").run_on(0, [&](Home& home) {
    home.add_call(newer);
    auto envelope = std::make_unique<SignalEnvelope>();
    envelope->kind = static_cast<v1::Kind>(99);
    envelope->from = Address{home.node_id(), WorkerId::make(0, 1, 1)};
    envelope->call = newer.id;
    home.send(newer.callee, std::move(envelope));
  });
  EXPECT_TRUE(sim.cluster.run_until([&] { return newer.heard.has_value(); }, seconds(2)));
  EXPECT_EQ(newer.heard.value_or(Status()).code(), Code::unimplemented);
}

}  // namespace
}  // namespace cobus::sim
