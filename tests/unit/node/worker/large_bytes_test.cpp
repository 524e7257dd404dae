// SPDX-License-Identifier: Apache-2.0
#include "node/worker/large_bytes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <new>
#include <string>
#include <utility>

namespace cobus {
namespace {

constexpr std::size_t mib = std::size_t{1024} * 1024;

std::string text_of(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 1000) % 26);
  return text;
}

TEST(LargeBytes, AreNoneAtFirst) {
  LargeBytes bytes;
  EXPECT_EQ(bytes.view(), "");
  bytes.append("");
  EXPECT_EQ(bytes.size(), 0U);
}

TEST(LargeBytes, StayAsTheyAreWhileTheyGrowOutOfTheHeap) {
  const std::string text = text_of(9 * mib + 5);
  for (const std::size_t step : {100'000UL, 131'072UL, 3 * mib, LargeBytes::heap_max, text.size()}) {
    LargeBytes bytes;
    for (std::size_t at = 0; at < text.size(); at += step)
      bytes.append(std::string_view(text).substr(at, step));
    EXPECT_TRUE(bytes.view() == text) << step;
  }
}

TEST(LargeBytes, AreMadeOfAnySizeToBeWritten) {
  LargeBytes bytes;
  for (const std::size_t size : {0UL, 1UL, LargeBytes::heap_max, LargeBytes::heap_max + 1, 5 * mib, 10UL}) {
    const std::string text = text_of(size);
    std::ranges::copy(text, bytes.make(size));
    EXPECT_TRUE(bytes.view() == text) << size;
  }
  bytes.append("more");
  EXPECT_EQ(bytes.view(), text_of(10) + "more");
}

TEST(LargeBytes, HaveTheMemoryOfThoseThatHaveGone) {
  const std::string text = text_of(LargeBytes::heap_max - 10);
  const char* memory = nullptr;
  {
    LargeBytes gone;
    memory = gone.make(text.size());
  }
  LargeBytes bytes;
  bytes.append("few");
  EXPECT_NE(bytes.view().data(), memory) << "it is for large ones";
  bytes.append(text);
  EXPECT_EQ(bytes.view().data(), memory);
  LargeBytes other;
  other.append(text);
  EXPECT_NE(other.view().data(), memory) << "one at a time";
  EXPECT_TRUE(bytes.view() == "few" + text);
  EXPECT_TRUE(other.view() == text);
}

TEST(LargeBytes, PassToAnother) {
  for (const std::size_t size : {10UL, 3 * mib}) {
    const std::string text = text_of(size);
    LargeBytes first;
    first.append(text);
    LargeBytes second(std::move(first));
    LargeBytes third;
    third.append("what goes");
    third = std::move(second);
    EXPECT_TRUE(third.view() == text);
    EXPECT_EQ(second.size(), 0U);  // NOLINT(bugprone-use-after-move)
    second.append("new");
    EXPECT_EQ(second.view(), "new");
  }
}

TEST(LargeBytes, AreUnchangedWhenThereIsNoMemory) {
  for (const std::size_t size : {10UL, 3 * mib}) {
    const std::string text = text_of(size);
    LargeBytes bytes;
    bytes.append(text);
    EXPECT_THROW(static_cast<void>(bytes.make(std::numeric_limits<std::size_t>::max() / 4)), std::bad_alloc);
    EXPECT_TRUE(bytes.view() == text);
  }
}

}  // namespace
}  // namespace cobus
