// SPDX-License-Identifier: Apache-2.0
#include "node/services/prime_count.hpp"

#include <gtest/gtest.h>

namespace cobus::services {
namespace {

const std::atomic<bool> not_stopped{false};

std::uint64_t count(std::uint64_t from, std::uint64_t to) {
  return count_primes(from, to, OffloadStop(not_stopped));
}

bool is_prime(std::uint64_t n) {
  if (n < 2) return false;
  for (std::uint64_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return true;
}

TEST(PrimeCount, AgreesWithTrialDivisionOnEverySmallRange) {
  for (std::uint64_t from = 0; from < 60; ++from) {
    std::uint64_t expected = 0;
    for (std::uint64_t to = from; to < 200; ++to) {
      ASSERT_EQ(count(from, to), expected) << "[" << from << ", " << to << ")";
      if (is_prime(to)) ++expected;
    }
  }
}

TEST(PrimeCount, KnowsThePrimesBelowFiveMillionInAnyPieces) {
  EXPECT_EQ(count(0, 5'000'000), 348'513U);
  std::uint64_t sum = 0;
  for (std::uint64_t from = 0; from < 5'000'000; from += 333'333) {
    sum += count(from, std::min<std::uint64_t>(from + 333'333, 5'000'000));
  }
  EXPECT_EQ(sum, 348'513U);
}

TEST(PrimeCount, CountsFarOut) { EXPECT_EQ(count(1'000'000'000'000, 1'000'000'001'000), 37U); }

TEST(PrimeCount, EndsEarlyWhenStopped) {
  const std::atomic<bool> stopped{true};
  EXPECT_LE(count_primes(0, 1'000'000'000, OffloadStop(stopped)), 1U);
}

}  // namespace
}  // namespace cobus::services
