// SPDX-License-Identifier: Apache-2.0
#include "node/services/prime_count.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace cobus::services {
namespace {

constexpr std::uint64_t segment_odds = 128 * 1024;  // fits the second-level cache

std::uint64_t root(std::uint64_t number) {
  auto guess = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(number)));
  while (guess * guess > number) --guess;
  while ((guess + 1) * (guess + 1) <= number) ++guess;
  return guess;
}

// The odd primes up to `last`.
std::vector<std::uint32_t> odd_primes(std::uint64_t last) {
  std::vector<bool> composite(last / 2 + 1);
  std::vector<std::uint32_t> primes;
  for (std::uint64_t n = 3; n <= last; n += 2) {
    if (composite[n / 2]) continue;
    primes.push_back(static_cast<std::uint32_t>(n));
    for (std::uint64_t multiple = n * n; multiple <= last; multiple += 2 * n) composite[multiple / 2] = true;
  }
  return primes;
}

}  // namespace

std::uint64_t count_primes(std::uint64_t from, std::uint64_t to, OffloadStop stop) {
  if (to <= 2 || from >= to) return 0;
  std::uint64_t count = from <= 2 ? 1 : 0;  // the even one
  const std::vector<std::uint32_t> primes = odd_primes(root(to - 1));
  std::vector<std::uint8_t> composite(segment_odds);
  // Segment element i stands for the odd number begin + 2 i.
  for (std::uint64_t begin = std::max<std::uint64_t>(from, 3) | 1; begin < to && !stop.requested();
       begin += 2 * segment_odds) {
    const std::uint64_t odds = std::min(segment_odds, (to - begin + 1) / 2);
    std::fill(composite.begin(), composite.begin() + static_cast<std::ptrdiff_t>(odds), 0);
    const std::uint64_t last = begin + 2 * (odds - 1);
    for (const std::uint64_t prime : primes) {
      if (prime * prime > last) break;
      std::uint64_t multiple = std::max(prime * prime, (begin + prime - 1) / prime * prime);
      if (multiple % 2 == 0) multiple += prime;
      for (std::uint64_t at = (multiple - begin) / 2; at < odds; at += prime) composite[at] = 1;
    }
    count += static_cast<std::uint64_t>(
        std::count(composite.begin(), composite.begin() + static_cast<std::ptrdiff_t>(odds), 0));
  }
  return count;
}

}  // namespace cobus::services
