// SPDX-License-Identifier: Apache-2.0
#include "node/worker/parts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace cobus {
namespace {

constexpr NodeId afar{7};

constexpr std::size_t of_peer_max = limits::message_bytes_max + limits::envelope_overhead_bytes_max;

std::optional<std::string> give(PartsIn& parts, std::uint64_t id, std::uint32_t number,
                                std::string_view bytes, bool last = false, NodeId from = afar) {
  EnvelopeView view;
  view.header.kind = v1::PART;
  view.header.call = id;
  view.header.credit = number;
  view.header.flags = last ? static_cast<std::uint32_t>(v1::LAST_PART) : 0;
  view.payload = bytes;
  const std::optional<LargeBytes> whole = parts.add(from, view);
  if (!whole) return std::nullopt;
  return std::string(whole->view());
}

TEST(Parts, AreWholeWithTheLast) {
  PartsIn parts;
  EXPECT_FALSE(give(parts, 1, 0, "one "));
  EXPECT_FALSE(give(parts, 2, 0, "other"));
  EXPECT_FALSE(give(parts, 1, 1, "two "));
  EXPECT_EQ(give(parts, 1, 2, "three", true), "one two three");
  EXPECT_EQ(parts.held(), 5U);
  EXPECT_EQ(give(parts, 2, 1, "s", true), "others");
  EXPECT_EQ(parts.held(), 0U);
  EXPECT_EQ(give(parts, 3, 0, "alone", true), "alone");
  EXPECT_EQ(parts.dropped(), 0U);
}

TEST(Parts, ThatDoNotFitTogetherAreDropped) {
  PartsIn parts;
  EXPECT_FALSE(give(parts, 1, 1, "no beginning", true));
  EXPECT_FALSE(give(parts, 1, 0, "a"));
  EXPECT_FALSE(give(parts, 1, 2, "a gap"));
  EXPECT_FALSE(give(parts, 1, 3, "behind it", true));
  EXPECT_FALSE(give(parts, 2, 0, "a"));
  EXPECT_FALSE(give(parts, 2, 0, "again"));
  EXPECT_FALSE(give(parts, 3, 0, ""));
  EXPECT_EQ(parts.held(), 0U);
  EXPECT_EQ(parts.dropped(), 3U);
}

TEST(Parts, M5_OfOnePeerAreBoundedInBytesAndNumber) {
  PartsIn parts;
  const std::string part(limits::frame_bytes_max, 'x');
  for (std::uint64_t id = 1; id <= 100; ++id) static_cast<void>(give(parts, id, 0, part));
  EXPECT_LE(parts.held(), limits::message_bytes_max + limits::frame_bytes_max);
  EXPECT_GE(parts.held(), limits::message_bytes_max);
  EXPECT_FALSE(give(parts, 1, 0, "of another", false, NodeId{8}));
  EXPECT_EQ(give(parts, 1, 1, "", true, NodeId{8}), std::nullopt);
  parts.lost(afar);
  EXPECT_EQ(parts.held(), 0U);
  for (std::uint64_t id = 1; id <= 10'000; ++id) static_cast<void>(give(parts, id, 0, "x"));
  EXPECT_LE(parts.held(), 256U);
}

std::string text_of(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 1000) % 26);
  return text;
}

// Gives all of `text` in parts of `step` bytes, each of which is overwritten as soon as it was taken.
std::optional<std::string> give_all(PartsIn& parts, std::uint64_t id, std::string_view text,
                                    std::size_t step) {
  std::optional<std::string> whole;
  std::uint32_t number = 0;
  for (std::size_t at = 0; at < text.size(); at += step) {
    EXPECT_FALSE(whole);
    std::string part(text.substr(at, step));
    whole = give(parts, id, number++, part, at + step >= text.size());
    std::ranges::fill(part, '#');
  }
  return whole;
}

TEST(Parts, KeepWhatTheyHeldAfterItsFrameIsGone) {
  PartsIn parts;
  const std::string text = text_of(5 * limits::frame_bytes_max + 7);
  EXPECT_TRUE(give_all(parts, 1, text, limits::part_bytes) == text);
  EXPECT_TRUE(give_all(parts, 2, text, 3 * limits::part_bytes + 1) == text);
  EXPECT_EQ(parts.held(), 0U);
}

TEST(Parts, MayBeTiny) {
  PartsIn parts;
  const std::string text = text_of(100'000);
  EXPECT_TRUE(give_all(parts, 1, text, 1) == text);
  EXPECT_EQ(parts.held(), 0U);
  for (std::uint32_t number = 0; number < 1000; ++number)
    static_cast<void>(give(parts, 2, number, text.substr(number, 1)));
  EXPECT_EQ(parts.held(), 1000U) << "the bytes, and nothing of what they came in";
}

TEST(Parts, MakeAMessageOfExactlyTheLimitAndNoneAbove) {
  const std::string most = text_of(of_peer_max);
  PartsIn parts;
  EXPECT_TRUE(give_all(parts, 1, most, limits::part_bytes) == most);
  EXPECT_EQ(parts.dropped(), 0U);
  EXPECT_FALSE(give_all(parts, 2, most + "x", limits::part_bytes));
  EXPECT_EQ(parts.dropped(), 1U);
  EXPECT_EQ(parts.held(), 0U);
}

TEST(Parts, AMessageThatIsDroppedHoldsNothing) {
  PartsIn parts;
  const std::string part = text_of(limits::frame_bytes_max);
  const auto begin = [&](std::uint64_t id) {
    for (std::uint32_t number = 0; number < 10; ++number) EXPECT_FALSE(give(parts, id, number, part));
    EXPECT_EQ(parts.held(), 10 * part.size());
  };
  begin(1);
  EXPECT_FALSE(give(parts, 1, 11, part)) << "out of turn";
  EXPECT_EQ(parts.held(), 0U);
  begin(2);
  EXPECT_FALSE(give(parts, 2, 10, "")) << "empty";
  EXPECT_EQ(parts.held(), 0U);
  begin(3);
  parts.lost(afar);
  EXPECT_EQ(parts.held(), 0U);
  EXPECT_EQ(parts.dropped(), 2U);
  EXPECT_TRUE(give_all(parts, 4, text_of(of_peer_max), limits::frame_bytes_max)) << "there is room for all";
}

TEST(Parts, IdsNameTheirShardAndAreNoCalls) {
  for (const unsigned shard : {0U, 1U, 254U}) {
    const std::uint64_t id = part_id(12'345, shard);
    EXPECT_EQ(shard_of_part(id), shard);
    EXPECT_NE(id, part_id(12'346, shard));
    EXPECT_GT(id, std::uint64_t{1} << 62);
  }
}

}  // namespace
}  // namespace cobus
