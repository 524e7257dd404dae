// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/shard.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "node/runtime/await.hpp"
#include "node/runtime/signal.hpp"
#include "node/worker/self.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using std::chrono::milliseconds;

class ShardTest : public TestNode {
 protected:
  ShardTest() {
    node_->home(0).shard().on_stall(
        [](void* context, const Shard::Report& report) {
          auto* told = static_cast<std::vector<std::string>*>(context);
          const auto held_ms = std::chrono::duration_cast<milliseconds>(report.held).count();
          told->push_back(to_string(report.id) + ' ' + report.kind + ' ' + std::to_string(held_ms) + " ms" +
                          (report.strand == nullptr ? ", ended" : ""));
        },
        &stalls);
  }
  std::vector<std::string> stalls;
};

TEST_F(ShardTest, W8_AWorkerThatHoldsItsShardLongerThan25MillisecondsIsReportedByName) {
  spawn(
      [](Self self, ManualClock* clock) -> Task<> {
        self.spawn(
            "innocent", +[](Self) -> Task<> {
              for (int i = 0; i < 10; ++i) co_await yield();
            });
        co_await yield();
        clock->advance(milliseconds(25));
        co_await yield();
        clock->advance(milliseconds(40));
        co_await yield();
        clock->advance(milliseconds(60));
      },
      &network_.clock());
  EXPECT_EQ(stalls, (std::vector<std::string>{"0.0.1 test 40 ms", "0.0.1 test 60 ms, ended"}));
}

TEST_F(ShardTest, W8_WhatCameInForAShardAndHoldsItIsReportedToo) {
  node_->run_on(0, [this](Home& /*home*/) { network_.clock().advance(milliseconds(26)); });
  step();
  EXPECT_EQ(stalls, (std::vector<std::string>{"0.0.0  26 ms, ended"}));
}

TEST_F(ShardTest, TheTimeOfAWorkerIsChargedToItAndToNobodyElse) {
  Address busy;
  std::uint64_t idle_ns = 1;
  spawn(
      [](Self self, ManualClock* clock, Address* address, std::uint64_t* others) -> Task<> {
        *address = self.address();
        const Address idle =
            self.spawn("idle", +[](Self) -> Task<> { static_cast<void>(co_await sleep(milliseconds(500))); });
        co_await yield();
        clock->advance(milliseconds(10));
        co_await yield();
        *others = self.worker().home().find(idle.worker)->cpu_ns;
        static_cast<void>(co_await sleep(milliseconds(100)));
      },
      &network_.clock(), &busy, &idle_ns);
  EXPECT_EQ(node_->home(0).find(busy.worker)->cpu_ns, 10'000'000U);
  EXPECT_EQ(idle_ns, 0U);
}

Task<> note(Self /*self*/, std::vector<int>* order, int number) {
  order->push_back(number);
  co_return;
}

TEST_F(ShardTest, WhatTheRunningWorkerWakesGoesBeforeWhatIsReadyAlready) {
  std::vector<int> order;
  Signal signal;
  spawn(
      [](Self self, std::vector<int>* into, Signal* bell) -> Task<> {
        self.spawn(
            "sleeper",
            +[](Self, std::vector<int>* to, Signal* heard) -> Task<> {
              static_cast<void>(co_await heard->wait());
              to->push_back(1);
            },
            into, bell);
        co_await yield();
        self.spawn("other", &note, into, 2);
        bell->notify();
      },
      &order, &signal);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

// Two that wake each other for ever do not keep a third from running.
TEST_F(ShardTest, APairThatWakesEachOtherLetsOthersRun) {
  Signal ping;
  Signal pong;
  bool stop = false;
  int rounds = 0;
  int others = 0;
  const auto half = +[](Self, Signal* mine, Signal* yours, bool* end, int* count) -> Task<> {
    while (!*end) {
      ++*count;
      yours->notify();
      static_cast<void>(co_await mine->wait(milliseconds(1)));
    }
    yours->notify();
  };
  node_->spawn("ping", half, &ping, &pong, &stop, &rounds);
  node_->spawn("pong", half, &pong, &ping, &stop, &rounds);
  node_->spawn(
      "third",
      +[](Self, bool* end, int* count) -> Task<> {
        for (int i = 0; i < 100; ++i) {
          ++*count;
          co_await yield();
        }
        *end = true;
      },
      &stop, &others);
  for (int i = 0; i < 50; ++i) node_->step();
  advance(milliseconds(5));
  EXPECT_EQ(others, 100);
  EXPECT_GT(rounds, 100);
  EXPECT_EQ(workers(), 0U);
}

}  // namespace
}  // namespace cobus
