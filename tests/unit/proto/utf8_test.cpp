// SPDX-License-Identifier: Apache-2.0
#include "proto/utf8.hpp"

#include <gtest/gtest.h>

namespace cobus {
namespace {

TEST(Utf8, AcceptsEveryLengthOfSequence) {
  const std::string_view text = "plain, caf\xc3\xa9, \xe2\x82\xac, \xf0\x9f\x9a\x8c";
  EXPECT_EQ(utf8_valid_bytes(text), text.size());
  EXPECT_EQ(utf8_repaired(text), text);
}

TEST(Utf8, SaysWhereTextStopsBeingWellFormed) {
  EXPECT_EQ(utf8_valid_bytes("0123456789 caf\xe9 au lait"), 14U);
  EXPECT_EQ(utf8_valid_bytes("cut short \xe2\x82"), 10U);
}

TEST(Utf8, RefusesOverlongFormsSurrogatesAndTooLargeValues) {
  for (const std::string_view text : {"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xff"}) {
    EXPECT_EQ(utf8_valid_bytes(text), 0U);
  }
}

TEST(Utf8, RepairsByteByByte) {
  EXPECT_EQ(utf8_repaired("a\xff\xfe"
                          "b"),
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "b");
  EXPECT_EQ(utf8_repaired(""), "");
}

}  // namespace
}  // namespace cobus
