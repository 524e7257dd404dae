// SPDX-License-Identifier: Apache-2.0
#include "proto/log_text.hpp"

#include <gtest/gtest.h>

namespace cobus {
namespace {

TEST(LogText, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(log_text("node n1 is here, caf\xc3\xa9 \xe2\x82\xac", 100),
            "node n1 is here, caf\xc3\xa9 \xe2\x82\xac");
  EXPECT_EQ(log_text("", 0), "");
}

TEST(LogText, MakesOneLineThatDrivesNoTerminal) {
  EXPECT_EQ(log_text("x'\n12:00 info  forged\r\t\x1b[31m\x7f", 100),
            "x'\\n12:00 info  forged\\x0d\\t\\x1b[31m\\x7f");
  EXPECT_EQ(log_text("\xc2\x9b"
                     "31m",
                     100),
            "\\x9b31m");
  EXPECT_EQ(log_text(std::string_view("a\0b", 3), 100), "a\\x00b");
}

TEST(LogText, RepairsWhatIsNoText) { EXPECT_EQ(log_text("a\xff", 100), "a\xef\xbf\xbd"); }

TEST(LogText, CutsBetweenCharactersAndSaysSo) {
  EXPECT_EQ(log_text("0123456789", 10), "0123456789");
  EXPECT_EQ(log_text("0123456789", 4), "0123... (10 bytes)");
  EXPECT_EQ(log_text("012\xe2\x82\xac", 4), "012... (6 bytes)");
  EXPECT_LT(log_text(std::string(1'000'000, 'z'), 255).size(), 300U);
}

}  // namespace
}  // namespace cobus
