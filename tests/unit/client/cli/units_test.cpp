// SPDX-License-Identifier: Apache-2.0
#include "client/cli/units.hpp"

#include <gtest/gtest.h>

namespace cobus::client {
namespace {

using namespace std::chrono_literals;

TEST(Units, DurationsAreReadAsPeopleWriteThem) {
  EXPECT_EQ(parse_duration("100ms"), Duration(100ms));
  EXPECT_EQ(parse_duration("1.5s"), Duration(1500ms));
  EXPECT_EQ(parse_duration("5m"), Duration(5min));
  EXPECT_EQ(parse_duration("2h"), Duration(2h));
  EXPECT_EQ(parse_duration("1d"), Duration(24h));
  EXPECT_EQ(parse_duration("30"), Duration(30s)) << "as timeout(1) takes it";
  EXPECT_EQ(parse_duration("0"), Duration(0));
}

TEST(Units, WhatIsNoDurationIsRefusedWithExamples) {
  for (const char* text : {"", "s", "abc", "-1s", "1 s", "1x", "1e400", "nan", "inf", "99999999999d"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code(), Code::invalid_argument);
    EXPECT_NE(parsed.error().message().find("100ms"), std::string::npos);
  }
}

TEST(Units, ALimitOfTimeMayBeNone) {
  EXPECT_EQ(parse_time_limit("100ms"), Duration(100ms));
  for (const char* text : {"0", "0s", "none"}) {
    const auto limit = parse_time_limit(text);
    ASSERT_TRUE(limit) << text;
    EXPECT_LT(*limit, Duration(0)) << text;
  }
  const auto refused = parse_time_limit("never");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("or none"), std::string::npos);
}

TEST(Units, RatesAreASecondUnlessTheySayOtherwise) {
  EXPECT_EQ(parse_rate("100/s"), 100U);
  EXPECT_EQ(parse_rate("7"), 7U);
  EXPECT_EQ(parse_rate("600/m"), 10U);
  EXPECT_EQ(parse_rate("60/m"), 1U);
  for (const char* text : {"5/m", "0.5", "", "0", "-3", "x", "5/h", "1e12"})
    EXPECT_FALSE(parse_rate(text)) << text;
}

TEST(Units, DurationsAreShownInAtMostTwoUnits) {
  EXPECT_EQ(short_duration(35ms), "35ms");
  EXPECT_EQ(short_duration(12s), "12s");
  EXPECT_EQ(short_duration(2min), "2m");
  EXPECT_EQ(short_duration(3min + 20s), "3m20s");
  EXPECT_EQ(short_duration(5h + 12min), "5h12m");
  EXPECT_EQ(short_duration(99h), "4d3h");
  EXPECT_EQ(short_duration(-1s), "0s");
}

TEST(Units, CountsAndSizesKeepTwoDigits) {
  EXPECT_EQ(short_count(0), "0");
  EXPECT_EQ(short_count(0.4), "0.4");
  EXPECT_EQ(short_count(18), "18");
  EXPECT_EQ(short_count(1234), "1.2k");
  EXPECT_EQ(short_count(48'000), "48k");
  EXPECT_EQ(short_count(999'900), "1.0M");
  EXPECT_EQ(short_size(212), "212 B");
  EXPECT_EQ(short_size(4'100), "4.1 kB");
}

TEST(Units, TimesGoToIsoAndBack) {
  constexpr std::int64_t at = 1'772'352'930'042'000;
  EXPECT_EQ(iso_time(at), "2026-03-01T08:15:30.042Z");
  EXPECT_EQ(parse_iso_time("2026-03-01T08:15:30.042Z"), at);
  EXPECT_EQ(parse_iso_time("2026-03-01"), std::nullopt);
  EXPECT_EQ(parse_iso_time("2026-03-01T08:15:30.042Z more"), std::nullopt);
  EXPECT_EQ(clock_time(at).size(), std::string("08:15:30.042").size());
}

}  // namespace
}  // namespace cobus::client
