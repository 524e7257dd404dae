// SPDX-License-Identifier: Apache-2.0
#include "proto/well_known.hpp"

#include <gtest/gtest.h>

namespace cobus {
namespace {

TEST(WellKnown, TimesGoThereAndBackAtTheirEdges) {
  for (const char* text :
       {"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00Z",
        "2024-02-29T12:00:00.120Z", "1969-12-31T23:59:59.000001Z", "1900-03-01T00:00:00.000000001Z"}) {
    const auto time = parse_timestamp(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(timestamp_text(*time), text);
  }
}

TEST(WellKnown, TimesTakeAnOffset) {
  EXPECT_EQ(parse_timestamp("1970-01-01T01:30:00+01:30"), (SecondsAndNanos{0, 0}));
  EXPECT_EQ(parse_timestamp("1969-12-31T19:00:00.5-05:00"), (SecondsAndNanos{0, 500'000'000}));
}

TEST(WellKnown, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "yesterday", "2020-01-02", "2020-01-02T03:04:05", "2020-01-02 03:04:05Z", "2023-02-29T00:00:00Z",
        "2020-13-01T00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01T00:00:60Z", "2020-01-01T00:00:00.Z",
        "2020-01-01T00:00:00.1234567890Z", "0000-12-31T23:59:59Z", "10000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2020-01-01T00:00:00Zx",
        "2020-01-01T00:00:00+1:00", "-001-01-01T00:00:00Z"}) {
    EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
  }
}

TEST(WellKnown, SaysNothingOfATimeOutOfRange) {
  EXPECT_EQ(timestamp_text({253'402'300'800, 0}), std::nullopt);
  EXPECT_EQ(timestamp_text({-62'135'596'801, 0}), std::nullopt);
  EXPECT_EQ(timestamp_text({0, -1}), std::nullopt);
  EXPECT_EQ(timestamp_text({0, 1'000'000'000}), std::nullopt);
  EXPECT_EQ(timestamp_text({std::numeric_limits<std::int64_t>::max(), 0}), std::nullopt);
}

TEST(WellKnown, DurationsGoThereAndBackAtTheirEdges) {
  for (const char* text :
       {"0s", "1.500s", "-1.500s", "-0.000000001s", "315576000000s", "-315576000000.999999999s"}) {
    const auto duration = parse_duration(text);
    ASSERT_TRUE(duration) << text;
    EXPECT_EQ(duration_text(*duration), text);
  }
  for (const char* text :
       {"", "1", "s", "1.s", "1.0123456789s", "315576000001s", "--1s", "1s ", "+1s", "1e3s"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

TEST(WellKnown, SaysNothingOfADurationThatIsNone) {
  EXPECT_EQ(duration_text({315'576'000'001, 0}), std::nullopt);
  EXPECT_EQ(duration_text({1, -1}), std::nullopt);
  EXPECT_EQ(duration_text({-1, 1}), std::nullopt);
  EXPECT_EQ(duration_text({0, 1'000'000'000}), std::nullopt);
  EXPECT_EQ(duration_text({std::numeric_limits<std::int64_t>::min(), 0}), std::nullopt);
}

TEST(WellKnown, PathsOfAMaskGoThereAndBack) {
  EXPECT_EQ(mask_path_text("user.display_name"), "user.displayName");
  EXPECT_EQ(parse_mask_path("user.displayName"), "user.display_name");
  for (const char* path : {"", "userName", "a_", "a__b", "a_1", "a,b"})
    EXPECT_EQ(mask_path_text(path), std::nullopt) << path;
  for (const char* text : {"", "user_name", "a b", "a-b"})
    EXPECT_EQ(parse_mask_path(text), std::nullopt) << text;
}

TEST(WellKnown, BytesGoThereAndBack) {
  for (const std::string& bytes :
       {std::string(), std::string("a"), std::string("\0\xff\xfe", 3), std::string(257, '\x80')})
    EXPECT_EQ(parse_base64(base64_text(bytes)), bytes);
  EXPECT_EQ(parse_base64("-_"), "\xfb");
  EXPECT_EQ(parse_base64("+/8="), "\xfb\xff");
  for (const char* text : {"a", "a===", "ab=", "a=b", "not base64!", "AP8=\n"})
    EXPECT_EQ(parse_base64(text), std::nullopt) << text;
}

}  // namespace
}  // namespace cobus
