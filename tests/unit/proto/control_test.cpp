// SPDX-License-Identifier: Apache-2.0
#include "proto/control.hpp"

#include <gtest/gtest.h>

#include <string>

namespace cobus {
namespace {

TEST(Control, FindsWhatDrivesATerminalOrTurnsTextAround) {
  for (const char* text : {"\x1b", "\x07", "\x7f", "\xc2\x9b", "\xc2\xad", "\xd8\x9c", "\xe1\xa0\x8e",
                           "\xe2\x80\x8b", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xae", "\xe2\x81\xa6",
                           "\xef\xbb\xbf", "\xef\xbf\xb9", "\xf3\xa0\x81\x81", "\n", "\t"}) {
    EXPECT_EQ(control_at(std::string(text) + "x").bytes, std::string(text).size()) << text;
  }
  EXPECT_EQ(control_at("\xe2\x80\xae").code, U'\u202e');
}

TEST(Control, LeavesLettersAlone) {
  for (const char* text :
       {"", "a", " ", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xd7\x90", "\xe4\xb8\xad"})
    EXPECT_EQ(control_at(text).bytes, 0U) << text;
}

}  // namespace
}  // namespace cobus
