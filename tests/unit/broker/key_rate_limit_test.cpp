// SPDX-License-Identifier: Apache-2.0
#include "broker/key_rate_limit.hpp"

#include <gtest/gtest.h>

namespace cobus::broker {
namespace {

constexpr std::int64_t now_s = 1'700'000'000;

link::CurveKey key(std::uint8_t number) {
  link::CurveKey made;
  made.bytes[0] = number;
  return made;
}

TEST(KeyRateLimit, AdmitsSoManyInAWindowForEachKey) {
  KeyRateLimit limit(3, 60);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.admit(key(1), now_s + i));
  EXPECT_FALSE(limit.admit(key(1), now_s + 59));
  EXPECT_TRUE(limit.admit(key(2), now_s + 59)) << "others are not concerned";
  EXPECT_TRUE(limit.admit(key(1), now_s + 60)) << "another window";
}

TEST(KeyRateLimit, ForgetsKeysWhoseWindowIsOver) {
  KeyRateLimit limit(1, 60);
  for (std::uint8_t i = 0; i < 100; ++i) EXPECT_TRUE(limit.admit(key(i), now_s));
  EXPECT_EQ(limit.keys(), 100U);
  EXPECT_TRUE(limit.admit(key(200), now_s + 60));
  EXPECT_EQ(limit.keys(), 1U);
}

TEST(KeyRateLimit, AClockThatJumpsBackBeginsAnew) {
  KeyRateLimit limit(1, 60);
  EXPECT_TRUE(limit.admit(key(1), now_s));
  EXPECT_FALSE(limit.admit(key(1), now_s));
  EXPECT_TRUE(limit.admit(key(1), now_s - 1'000'000));
}

}  // namespace
}  // namespace cobus::broker
