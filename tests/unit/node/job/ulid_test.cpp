// SPDX-License-Identifier: Apache-2.0
#include "node/job/ulid.hpp"

#include <gtest/gtest.h>

#include <set>

namespace cobus::job {
namespace {

TEST(Ulid, IsTwentySixCharactersOfLowerCaseCrockford) {
  ManualClock clock;
  SeededRandom random(1);
  UlidSource source(clock, random);
  const std::string id = source.next();
  EXPECT_EQ(id.size(), ulid_length);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz"), std::string::npos) << id;
}

TEST(Ulid, BeginsWithTheTime) {
  ManualClock clock;
  clock.advance_to(TimePoint{});
  SeededRandom random(1);
  // 1,700,000,001,000 ms since the epoch.
  EXPECT_EQ(UlidSource(clock, random).next().substr(0, 10), "01hf7yatz8");
}

TEST(Ulid, GrowsWithinOneMillisecondAndWhenTheClockGoesOn) {
  ManualClock clock;
  SeededRandom random(2);
  UlidSource source(clock, random);
  std::string before = source.next();
  for (int i = 0; i < 100'000; ++i) {
    if (i % 1000 == 0) clock.advance(std::chrono::milliseconds(1));
    std::string id = source.next();
    ASSERT_LT(before, id);
    before = std::move(id);
  }
}

TEST(Ulid, GrowsWhenTheClockGoesBack) {
  class Clocks final : public Clock {
   public:
    [[nodiscard]] TimePoint now() const noexcept override { return TimePoint{}; }
    [[nodiscard]] std::int64_t unix_us() const noexcept override { return us; }
    std::int64_t us = 1'700'000'000'000'000;
  } clock;
  SeededRandom random(3);
  UlidSource source(clock, random);
  const std::string before = source.next();
  clock.us -= 3'600'000'000;
  EXPECT_LT(before, source.next());
}

TEST(Ulid, OfOneMillisecondAreToldApartByAPrefix) {
  ManualClock clock;
  SeededRandom random(4);
  UlidSource source(clock, random);
  std::set<std::string> prefixes;
  for (int i = 0; i < 100; ++i) prefixes.insert(source.next().substr(0, 18));
  EXPECT_EQ(prefixes.size(), 100U);
}

TEST(Ulid, PrefixMayBeTypedInCapitals) { EXPECT_EQ(ulid_prefix("01HF7YAT"), "01hf7yat"); }

}  // namespace
}  // namespace cobus::job
