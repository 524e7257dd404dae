// SPDX-License-Identifier: Apache-2.0
#include "node/link/self_doubt.hpp"

#include <gtest/gtest.h>

namespace cobus::link {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint start{100s};

TEST(SelfDoubt, MakesNothingLongerWithoutAReason) {
  SelfDoubt doubt;
  EXPECT_EQ(doubt.patience(5s), 5s);
  EXPECT_EQ(doubt.next_change(), never);
  doubt.came_late(start, 900ms);
  EXPECT_EQ(doubt.patience(5s), 5s) << "less than a beat";
}

TEST(SelfDoubt, GrowsWithEachBeatThatItWasLateUpToFourTimes) {
  SelfDoubt doubt;
  doubt.came_late(start, 1s);
  EXPECT_EQ(doubt.patience(5s), 10s);
  doubt.came_late(start, 1900ms);
  EXPECT_EQ(doubt.patience(5s), 15s);
  doubt.came_late(start, 1h);
  EXPECT_EQ(doubt.patience(5s), 20s);
}

TEST(SelfDoubt, EasesStepByStepInTime) {
  SelfDoubt doubt;
  doubt.came_late(start, 2s);
  EXPECT_EQ(doubt.next_change(), start + limits::doubt_eases_after);
  doubt.pass(start + limits::doubt_eases_after - 1ms);
  EXPECT_EQ(doubt.patience(1s), 3s);
  doubt.pass(start + limits::doubt_eases_after);
  EXPECT_EQ(doubt.patience(1s), 2s);
  doubt.pass(start + 1h);
  EXPECT_EQ(doubt.patience(1s), 1s);
  EXPECT_EQ(doubt.next_change(), never);
}

}  // namespace
}  // namespace cobus::link
