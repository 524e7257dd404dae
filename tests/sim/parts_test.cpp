// SPDX-License-Identifier: Apache-2.0
//
// Messages that are too large for a frame, between nodes: whole, in order, and in nobody's way; whatever
// happens to connections and nodes meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "node/worker/self.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/sim/sim_cluster.hpp"
#include "tests/support/echo_messages.hpp"

namespace cobus::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t megabyte = 1024 * 1024;

struct Heard {
  Address here;
  std::vector<std::size_t> sizes;
  std::vector<TimePoint> at;
  bool damaged = false;
};

std::string text_of(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 1000) % 26);
  return text;
}

Task<> listener(Self self, Heard* heard) {
  heard->here = self.address();
  for (;;) {
    auto message = co_await self.receive<echo::EchoRequest>();
    if (!message) co_return;
    const std::string& text = (*message)->text();
    heard->damaged = heard->damaged || text != text_of(text.size());
    heard->sizes.push_back(text.size());
    heard->at.push_back(self.worker().shard->clock().now());
  }
}

Task<> talker(Self self, Address to, std::vector<std::size_t> sizes, std::vector<Status>* how) {
  for (const std::size_t size : sizes) how->push_back(co_await self.send(to, say(text_of(size))));
}

Task<> caller(Self self, NodeId to, std::size_t size, std::optional<Status>* how) {
  auto reply = co_await echo::EchoStub(self, to).Echo(say(text_of(size)));
  *how = !reply                           ? reply.error()
         : reply->text() == text_of(size) ? Status()
                                          : Status(Code::data_loss, "damaged");
}

class SimParts {
 public:
  explicit SimParts(std::uint64_t seed) : cluster(seed) {
    EXPECT_TRUE(cluster.start({"alpha", "beta"}));
    // Some 100 MB a second.
    cluster.network().options().in_flight_bytes_max = megabyte / 4;
    cluster.network().options().latency_min = milliseconds(2);
    cluster.network().options().latency_max = milliseconds(3);
    node("beta").spawn("test.listener", &listener, &heard);
    EXPECT_TRUE(cluster.run_until([this] { return static_cast<bool>(heard.here); }, seconds(1)));
  }
  Node& node(const std::string& name) { return *cluster.process(name).node; }
  void talk(std::vector<std::size_t> sizes) {
    node("alpha").spawn("test.talker", &talker, heard.here, std::move(sizes), &how);
  }
  bool hears(std::size_t count, Duration longest) {
    return cluster.run_until([&] { return heard.sizes.size() == count; }, longest);
  }
  void expect_nothing_kept() {
    for (const char* name : {"alpha", "beta"}) {
      for (unsigned shard = 0; shard < node(name).shards(); ++shard)
        EXPECT_EQ(node(name).home(shard).held().outgoing_bytes, 0U) << name;
    }
  }

  SimCluster cluster;
  Heard heard;
  std::vector<Status> how;
};

TEST(SimLarge, M1_MessagesOfAnySizeArriveWholeAndInOrder) {
  for (const std::uint64_t seed : seeds(10)) {
    SCOPED_TRACE(replay(seed));
    SimParts sim(seed);
    const std::vector<std::size_t> sizes{10, 3 * megabyte, 20, 1'100'000, 30, 40, 7 * megabyte, 50};
    sim.talk(sizes);
    ASSERT_TRUE(sim.hears(sizes.size(), seconds(20)));
    EXPECT_EQ(sim.heard.sizes, sizes);
    EXPECT_FALSE(sim.heard.damaged);
    for (const Status& status : sim.how) EXPECT_TRUE(status.ok()) << status.to_string();
    sim.expect_nothing_kept();
  }
}

TEST(SimLarge, TheLargestThatMayBeArrivesAndALargerOneIsRefused) {
  SimParts sim(1);
  sim.talk({limits::message_bytes_max - 100, limits::message_bytes_max + 1, 5});
  ASSERT_TRUE(sim.hears(2, seconds(60))) << testing::PrintToString(sim.heard.sizes) << sim.how.size();
  EXPECT_EQ(sim.heard.sizes, (std::vector<std::size_t>{limits::message_bytes_max - 100, 5}));
  EXPECT_FALSE(sim.heard.damaged);
  ASSERT_EQ(sim.how.size(), 3U);
  EXPECT_EQ(sim.how[1].code(), Code::out_of_range);
}

TEST(SimLarge, M2_TheyArriveThoughConnectionsBreak) {
  for (const std::uint64_t seed : seeds(20)) {
    SCOPED_TRACE(replay(seed));
    SimParts sim(seed);
    const std::vector<std::size_t> sizes{5 * megabyte, 10, 5 * megabyte, 20};
    sim.talk(sizes);
    Random& random = sim.cluster.network().random();
    for (int i = 0; i < 10; ++i) {
      sim.cluster.run_for(random.jitter(milliseconds(40)));
      sim.cluster.network().break_connections(sim.cluster.process("alpha").host,
                                              sim.cluster.process("beta").host);
    }
    ASSERT_TRUE(sim.hears(sizes.size(), seconds(20)));
    sim.cluster.run_for(seconds(1));
    EXPECT_EQ(sim.heard.sizes, sizes);
    EXPECT_FALSE(sim.heard.damaged);
  }
}

// What others send to the same node passes between the parts.
TEST(SimLarge, M6_OthersDoNotWaitBehindThem) {
  for (const std::uint64_t seed : seeds(5)) {
    SCOPED_TRACE(replay(seed));
    SimParts sim(seed);
    sim.talk({16 * megabyte});
    sim.cluster.run_for(milliseconds(20));
    std::vector<Status> others;
    sim.node("alpha").spawn("test.talker", &talker, sim.heard.here, std::vector<std::size_t>{10}, &others);
    ASSERT_TRUE(sim.hears(1, seconds(1)));
    EXPECT_EQ(sim.heard.sizes[0], 10U);
    ASSERT_TRUE(sim.hears(2, seconds(60)));
  }
}

TEST(SimLarge, M4_CallsWithThemAreAnsweredOrEndWithTheirNode) {
  for (const std::uint64_t seed : seeds(5)) {
    SCOPED_TRACE(replay(seed));
    SimParts sim(seed);
    std::optional<Status> answered;
    sim.node("alpha").spawn("test.caller", &caller, sim.node("beta").id(), 4 * megabyte, &answered);
    ASSERT_TRUE(sim.cluster.run_until([&] { return answered.has_value(); }, seconds(10)));
    EXPECT_TRUE(answered->ok()) << answered->to_string();
    std::optional<Status> lost;
    sim.node("alpha").spawn("test.caller", &caller, sim.node("beta").id(), 12 * megabyte, &lost);
    sim.talk({12 * megabyte});
    sim.cluster.run_for(milliseconds(30));
    sim.cluster.kill("beta");
    ASSERT_TRUE(sim.cluster.run_until([&] { return lost.has_value(); }, seconds(7)));
    EXPECT_EQ(lost->code(), Code::unavailable) << lost->to_string();
    sim.cluster.run_for(seconds(7));
    EXPECT_EQ(sim.node("alpha").dead_letters().total(), 1U) << "the message";
    EXPECT_EQ(sim.node("alpha").home(0).held().outgoing_bytes, 0U);
  }
}

}  // namespace
}  // namespace cobus::sim
