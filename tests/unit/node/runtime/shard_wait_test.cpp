// SPDX-License-Identifier: Apache-2.0
//
// How a shard waits: without a glance when nothing happens for long, with some when things happen all the
// time.
#include <gtest/gtest.h>

#include <chrono>

#include "node/runtime/shard.hpp"

namespace cobus {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

struct Nothing final : InboxItem {
  void deliver(Shard& /*shard*/) noexcept override { delete this; }
};

// Sleeps as long as it is told to, on a manual clock.
class ShardWaitTest : public ::testing::Test, protected Waiter {
 protected:
  void wait(Duration longest) override {
    ++sleeps_;
    last_longest_ = longest;
    clock_.advance(sleep_takes_);
  }
  void wake() noexcept override {}
  bool glance() override {
    clock_.advance(glance_takes_);
    if (++glances_ == found_at_) shard_.post(new Nothing);
    return glances_ == found_at_ || glances_ <= for_others_;
  }
  // What it waits for comes after a few glances, again and again.
  void look_about_for_long() {
    sleep_takes_ = microseconds(5);
    for (int i = 0; i < 10; ++i) {
      glances_ = 0;
      found_at_ = 4;
      shard_.wait();
      shard_.turn();
    }
    found_at_ = 0;
    sleep_takes_ = milliseconds(10);
  }
  unsigned glances_in_a_wait() {
    glances_ = 0;
    shard_.wait();
    return glances_;
  }

  ManualClock clock_;
  SeededRandom random_{1};
  Shard shard_{0, clock_, random_, *this, nullptr};
  Duration sleep_takes_ = milliseconds(10);
  Duration glance_takes_ = microseconds(2);
  Duration last_longest_{};
  unsigned sleeps_ = 0;
  unsigned glances_ = 0;
  unsigned found_at_ = 0;
  unsigned for_others_ = 0;  // so many glances find something for another shard
};

TEST_F(ShardWaitTest, AnIdleShardFallsAsleepAtOnce) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(glances_in_a_wait(), 0U);
  EXPECT_EQ(sleeps_, 10U);
}

TEST_F(ShardWaitTest, AfterShortSleepsItLooksAboutFirstAndNoMoreAfterLongOnes) {
  look_about_for_long();
  EXPECT_EQ(glances_in_a_wait(), limits::idle_poll_max / glance_takes_);  // bounded
  for (int i = 0; i < 4; ++i) shard_.wait();
  EXPECT_EQ(glances_in_a_wait(), 0U);
}

TEST_F(ShardWaitTest, WhatWasLookedOutForInVainCountsAsPartOfTheWait) {
  look_about_for_long();
  const unsigned most = glances_in_a_wait();
  sleep_takes_ = limits::idle_poll_max - microseconds(20);  // short, but the wait is not
  EXPECT_EQ(glances_in_a_wait(), most / 4);
  EXPECT_LT(glances_in_a_wait(), most / 8);
}

// Else it would spend most of the time on looking about and sleep all the same.
TEST_F(ShardWaitTest, WhatComesForOtherShardsIsNoWaitInVain) {
  look_about_for_long();
  for_others_ = 1000;
  EXPECT_EQ(glances_in_a_wait(), for_others_ + limits::idle_poll_max / glance_takes_);
  for_others_ = 0;
  sleep_takes_ = {};
  EXPECT_LT(glances_in_a_wait(), limits::idle_poll_max / glance_takes_) << "the last ones found nothing";
}

TEST_F(ShardWaitTest, TimersAloneAreNothingToLookOutFor) {
  shard_.idle_poll(milliseconds(10));
  look_about_for_long();
  unsigned glances = 0;
  for (int i = 0; i < 20; ++i) {
    glances_ = 0;
    sleep_takes_ = milliseconds(1);
    shard_.wait(milliseconds(5));
    glances = glances_;
  }
  EXPECT_EQ(glances, 0U);
}

TEST_F(ShardWaitTest, OneThatIsToldNotToLookAboutSleepsAtOnce) {
  shard_.idle_poll(Duration(0));
  sleep_takes_ = microseconds(5);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(glances_in_a_wait(), 0U);
  EXPECT_EQ(sleeps_, 10U);
}

TEST_F(ShardWaitTest, WhatAGlanceFindsEndsTheWaitWithoutSleep) {
  sleep_takes_ = microseconds(5);
  for (int i = 0; i < 10; ++i) shard_.wait();
  const unsigned slept = sleeps_;
  found_at_ = 2;
  EXPECT_EQ(glances_in_a_wait(), 2U);
  EXPECT_EQ(sleeps_, slept);
  EXPECT_TRUE(shard_.busy());
}

TEST_F(ShardWaitTest, ATimerThatComesDueEndsTheLookingAboutAndItsShortSleepSaysNothing) {
  sleep_takes_ = microseconds(5);
  for (int i = 0; i < 10; ++i) shard_.wait();
  struct Due : Timer {
    Due() noexcept : Timer([](Timer& /*timer*/) {}) {}
  } timer;
  shard_.timers().start(timer, clock_.now() + microseconds(10));
  glance_takes_ = milliseconds(1);
  EXPECT_LE(glances_in_a_wait(), 2U);  // it is due within a tick
  timer.cancel();
  glance_takes_ = microseconds(2);
  sleep_takes_ = milliseconds(10);
  for (int i = 0; i < 5; ++i) shard_.wait();
  sleep_takes_ = {};
  shard_.wait(microseconds(1));
  EXPECT_EQ(glances_in_a_wait(), 0U);
}

TEST_F(ShardWaitTest, ATimerThatIsDueNeedsNoGlances) {
  sleep_takes_ = microseconds(5);
  for (int i = 0; i < 10; ++i) shard_.wait();
  glances_ = 0;
  shard_.wait(Duration(0));
  EXPECT_EQ(glances_, 0U);
  EXPECT_EQ(last_longest_, Duration(0));
}

}  // namespace
}  // namespace cobus
