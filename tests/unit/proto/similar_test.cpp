// SPDX-License-Identifier: Apache-2.0
#include "proto/similar.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace cobus {
namespace {

TEST(Similar, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("word", "words"), 1U);
  EXPECT_EQ(edit_distance("word", "wod"), 1U);
  EXPECT_EQ(edit_distance("word", "ward"), 1U);
  EXPECT_EQ(edit_distance("word", "wrod"), 1U);
  EXPECT_EQ(edit_distance("", "word"), 4U);
}

TEST(Similar, TakesUpperAndLowerCaseAsTheSame) { EXPECT_EQ(edit_distance("WordCount", "wordcount"), 0U); }

TEST(Similar, FindsTheNearest) {
  const std::vector<std::string> names = {"text", "payload", "texture"};
  EXPECT_EQ(most_similar("txt", names), "text");
  EXPECT_EQ(most_similar("paylod", names), "payload");
}

TEST(Similar, FindsNothingWhenNothingIsNear) {
  const std::vector<std::string> names = {"text", "a"};
  EXPECT_EQ(most_similar("directory", names), "");
  EXPECT_EQ(most_similar("b", names), "");
  EXPECT_EQ(most_similar("b", {}), "");
}

}  // namespace
}  // namespace cobus
