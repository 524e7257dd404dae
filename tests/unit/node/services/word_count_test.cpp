// SPDX-License-Identifier: Apache-2.0
#include "node/services/word_count.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "node/runtime/random.hpp"

namespace cobus::services {
namespace {

// What wc itself says.
WordCounts wc(const std::string& text) {
  const std::string file = std::filesystem::temp_directory_path() / ("wc_" + std::to_string(::getpid()));
  std::ofstream(file, std::ios::binary) << text;
  std::FILE* pipe = ::popen(("LC_ALL=C wc -lwc < " + file).c_str(), "r");
  WordCounts counts;
  EXPECT_EQ(std::fscanf(pipe, "%lu %lu %lu", &counts.lines, &counts.words, &counts.bytes), 3);
  ::pclose(pipe);
  std::filesystem::remove(file);
  return counts;
}

TEST(WordCount, CountsLinesWordsAndBytes) {
  EXPECT_EQ(count_words(""), (WordCounts{0, 0, 0}));
  EXPECT_EQ(count_words("one two\nthree"), (WordCounts{1, 3, 13}));
}

TEST(WordCount, AgreesWithWcOnAnyBytes) {
  SeededRandom random(5);
  static constexpr std::array<char, 10> likely{' ', '\n', '\t', '\v', '\f', '\r', 'a', 'b', '\x01', '\xe9'};
  for (int i = 0; i < 40; ++i) {
    std::string text;
    for (auto left = random.below(400); left > 0; --left) {
      text += random.below(4) == 0 ? static_cast<char>(random.next()) : likely[random.below(likely.size())];
    }
    EXPECT_EQ(count_words(text), wc(text)) << "seed 5, text " << i;
  }
}

}  // namespace
}  // namespace cobus::services
