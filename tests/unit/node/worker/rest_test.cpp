// SPDX-License-Identifier: Apache-2.0
#include "node/worker/rest.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace cobus {
namespace {

using namespace std::chrono_literals;

// A keeper that looks around in short intervals and counts how often.
struct RestTest : testing::Test {
  Rest rest{2};
  std::atomic<int> looks{0};
  std::atomic<bool> over{false};
  std::jthread keeper{[this] {
    while (!over) {
      rest.wait(2ms);
      ++looks;
    }
  }};

  ~RestTest() override {
    over = true;
    rest.end();
  }
  // Looks until there are more, for a time that is far too long for a keeper that is awake.
  bool looks_again(int than) const {
    const TimePoint end = system_clock().now() + 10s;
    while (looks <= than && system_clock().now() < end) std::this_thread::sleep_for(1ms);
    return looks > than;
  }
  int looks_when_quiet() const {
    int before = -1;
    for (int now = looks; now != before; now = looks) {
      before = now;
      std::this_thread::sleep_for(100ms);
    }
    return before;
  }
};

TEST_F(RestTest, GoesOnLookingWhileAShardIsAwake) {
  rest.asleep(0);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(looks_again(looks));
}

TEST_F(RestTest, SleepsWhileEveryShardDoesAndLooksAgainWhenOneIsBack) {
  for (int round = 0; round < 3; ++round) {
    rest.asleep(0);
    rest.asleep(1);
    const int quiet = looks_when_quiet();
    std::this_thread::sleep_for(100ms);
    EXPECT_EQ(looks, quiet);
    rest.awake(1);
    EXPECT_TRUE(looks_again(quiet + 3));
    rest.awake(0);
  }
}

// Whenever a shard is back, and however short its sleep was, the keeper is too.
TEST_F(RestTest, MissesNobodyWhoComesBack) {
  rest.asleep(1);
  for (int round = 0; round < 200; ++round) {
    rest.asleep(0);
    std::this_thread::sleep_for(std::chrono::microseconds(1'000 + round * 37));
    rest.awake(0);
    ASSERT_TRUE(looks_again(looks)) << "round " << round;
  }
}

TEST_F(RestTest, EndsWhileItSleeps) {
  rest.asleep(0);
  rest.asleep(1);
  looks_when_quiet();
}

}  // namespace
}  // namespace cobus
