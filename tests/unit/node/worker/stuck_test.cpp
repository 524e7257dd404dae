// SPDX-License-Identifier: Apache-2.0
//
// Workers that do not give their threads back, on real threads.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "node/link/no_transport.hpp"
#include "node/runtime/offload.hpp"
#include "node/worker/node.hpp"
#include "tests/support/told_log.hpp"

namespace cobus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What blocks for as long as a test wants.
struct Gate {
  std::atomic<bool> entered{false};
  std::atomic<bool> open{false};
  void pass() {
    entered.store(true);
    entered.notify_all();
    open.wait(false);
  }
  void let_through() {
    open.store(true);
    open.notify_all();
  }
};

Task<> hold_the_shard(Self /*self*/, Gate* gate) {
  gate->pass();
  co_return;
}
Task<> hold_the_pool(Self /*self*/, Gate* gate) {
  static_cast<void>(co_await offload([gate] {
    gate->pass();
    return true;
  }));
}

class StuckTest : public ::testing::Test {
 protected:
  StuckTest() {
    NodeOptions options;
    options.name = "here";
    options.shards = 2;
    options.stuck_after = milliseconds(60);
    options.on_stuck = [this](const std::string& who) {
      stuck.push_back(who);
      if (stuck.size() == 2) gate.let_through();
    };
    link::Identity identity;
    identity.pair = link::make_curve_pair();
    node = std::make_unique<Node>(std::move(options), transport, std::move(identity));
    node->start();
  }
  ~StuckTest() override {
    gate.let_through();
    node.reset();
  }

  link::NoTransport transport;
  Gate gate;
  std::vector<std::string> stuck;
  std::unique_ptr<Node> node;
};

TEST_F(StuckTest, W9_AWorkerThatNeverReturnsIsNamedToWhoeverStopsItsNode) {
  node->spawn("never_returns", &hold_the_shard, &gate);
  gate.entered.wait(false);
  node->stop(Duration(0));
  ASSERT_EQ(stuck.size(), 2U);
  EXPECT_NE(stuck[0].find("(never_returns) has held shard 1 for 0."), std::string::npos) << stuck[0];
}

TEST_F(StuckTest, W9_ItNamesTheWorkerWhoseFunctionInThePoolNeverReturns) {
  node->spawn("blocks_for_ever", &hold_the_pool, &gate);
  gate.entered.wait(false);
  node.reset();
  ASSERT_EQ(stuck.size(), 2U);
  EXPECT_NE(stuck[0].find("(blocks_for_ever) gave to offload()"), std::string::npos) << stuck[0];
}

TEST_F(StuckTest, NobodyIsBlamedForAStopThatTakesLong) {
  node->stop(milliseconds(200));
  EXPECT_TRUE(stuck.empty());
}

// On which every thread but the one that made it comes late.
class LateClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override {
    if (std::this_thread::get_id() != owner_) std::this_thread::sleep_for(milliseconds(3));
    return system_clock().now();
  }
  [[nodiscard]] TimePoint coarse_now() const noexcept override { return system_clock().coarse_now(); }
  [[nodiscard]] std::int64_t unix_us() const noexcept override { return system_clock().unix_us(); }

 private:
  const std::thread::id owner_ = std::this_thread::get_id();
};

// What it is woken by for the stop may come while it is on its way into a turn that takes that in.
TEST(Stop, IsHeardByAShardThatComesLate) {
  for (int round = 0; round < 5; ++round) {
    const LateClock clock;
    link::NoTransport transport;
    std::atomic<int> stuck{0};
    NodeOptions options;
    options.name = "here";
    options.shards = 3;
    options.clock = &clock;
    options.stuck_after = seconds(2);
    options.on_stuck = [&stuck](const std::string& /*who*/) {
      if (++stuck == 3) std::abort();  // nothing else would end this test
    };
    link::Identity identity;
    identity.pair = link::make_curve_pair();
    Node node(std::move(options), transport, std::move(identity));
    node.start();
    node.stop(Duration(0));
    EXPECT_EQ(stuck.load(), 0);
  }
}

TEST(StallLogTest, W8_AWorkerThatHoldsItsShardIsNamedWhileItDoes) {
  ManualClock clock;
  SeededRandom random(1);
  ThreadWaiter waiter;
  Shard shard(0, clock, random, waiter, nullptr);
  StallLog stalls("here", 1);
  ToldLog log;
  std::vector<std::string> said;
  struct Watched final : InboxItem {
    std::function<void()> look;
    void deliver(Shard& /*shard*/) noexcept override { look(); }
  } held;
  held.look = [&] {
    for (const auto lasted : {0, 999, 2, 7999, 1000, 59'000, 999, 1}) {
      clock.advance(milliseconds(lasted));
      stalls.look(shard, clock.now());
      said.push_back(log.text());
      log.clear();
    }
  };
  shard.post(&held);
  static_cast<void>(shard.turn());
  ASSERT_EQ(said.size(), 8U);
  EXPECT_EQ(said[0] + said[1] + said[3] + said[5] + said[6], "");
  EXPECT_NE(said[2].find("has held shard 0 for 1.0 s, and still does"), std::string::npos) << said[2];
  EXPECT_NE(said[4].find("for 10.0 s"), std::string::npos) << said[4];
  EXPECT_NE(said[7].find("for 70.0 s"), std::string::npos) << said[7];
  stalls.look(shard, clock.now() + seconds(100));
  EXPECT_EQ(log.text(), "");
}

}  // namespace
}  // namespace cobus
