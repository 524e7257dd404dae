// SPDX-License-Identifier: Apache-2.0
#include "node/link/flapping.hpp"

#include <gtest/gtest.h>

namespace cobus::link {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint start{1000s};

TEST(Flapping, OneOutageOrTwoMakeNobodyUnsteady) {
  Flapping flapping;
  EXPECT_FALSE(flapping.lost(start));
  EXPECT_FALSE(flapping.lost(start + 10s));
  EXPECT_FALSE(flapping.unsteady(start + 10s));
  EXPECT_EQ(flapping.steady_after(start + 10s), Duration(0));
}

TEST(Flapping, TheThirdWithinAMinuteDoesUntilThePenaltyIsDown) {
  Flapping flapping;
  flapping.lost(start);
  flapping.lost(start + 20s);
  const TimePoint last = start + 40s;
  EXPECT_TRUE(flapping.lost(last));
  EXPECT_TRUE(flapping.unsteady(last));
  const Duration lasts = flapping.steady_after(last);
  EXPECT_GT(lasts, 2min);
  EXPECT_LT(lasts, 4min);
  EXPECT_TRUE(flapping.unsteady(last + lasts - 1s));
  EXPECT_FALSE(flapping.unsteady(last + lasts + 1s));
}

TEST(Flapping, SeldomIsNotAgainAndAgain) {
  Flapping flapping;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(flapping.lost(start + i * 2min));
}

TEST(Flapping, ItIsToldOnceAndBoundedHoweverOftenItHappens) {
  Flapping flapping;
  int told = 0;
  for (int i = 0; i < 100; ++i) told += flapping.lost(start + i * 1s) ? 1 : 0;
  EXPECT_EQ(told, 1);
  EXPECT_LE(flapping.steady_after(start + 99s), 4min);
  EXPECT_FALSE(flapping.forgotten(start + 99s + 4min));
  EXPECT_TRUE(flapping.forgotten(start + 1h));
}

}  // namespace
}  // namespace cobus::link
