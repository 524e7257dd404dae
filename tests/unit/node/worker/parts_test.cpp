// SPDX-License-Identifier: Apache-2.0
#include "node/worker/parts.hpp"

#include <gtest/gtest.h>

namespace cobus {
namespace {

constexpr NodeId afar{7};

std::optional<std::string> give(PartsIn& parts, std::uint64_t id, std::uint32_t number,
                                std::string_view bytes, bool last = false, NodeId from = afar) {
  EnvelopeView view;
  view.header.kind = v1::PART;
  view.header.call = id;
  view.header.credit = number;
  view.header.flags = last ? static_cast<std::uint32_t>(v1::LAST_PART) : 0;
  view.payload = bytes;
  return parts.add(from, view);
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
