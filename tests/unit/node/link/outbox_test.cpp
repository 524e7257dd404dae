// SPDX-License-Identifier: Apache-2.0
#include "node/link/outbox.hpp"

#include <gtest/gtest.h>

#include "proto/limits.hpp"

namespace cobus::link {
namespace {

bool push(Outbox& outbox, std::size_t bytes, char fill = 'x') {
  std::string chunk(bytes, fill);
  return outbox.push(chunk);
}

TEST(Outbox, FillsAFrameWithAllChunksThatFitTheTarget) {
  Outbox outbox;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(push(outbox, 1000));
  std::string frame = "header";
  const std::size_t count = outbox.fill(frame);
  EXPECT_EQ(count, (limits::frame_bytes_target - 6) / 1000);
  EXPECT_EQ(frame.size(), 6 + count * 1000);
  outbox.pop(count);
  EXPECT_EQ(outbox.bytes(), (100 - count) * 1000);
}

TEST(Outbox, KeepsChunksUntilTheyArePopped) {
  Outbox outbox;
  ASSERT_TRUE(push(outbox, 1, 'a'));
  ASSERT_TRUE(push(outbox, 1, 'b'));
  std::string frame;
  EXPECT_EQ(outbox.fill(frame), 2U);
  std::string again;
  EXPECT_EQ(outbox.fill(again), 2U);
  EXPECT_EQ(frame, "ab");
  EXPECT_EQ(again, "ab");
}

TEST(Outbox, PutsALargeChunkIntoAFrameOfItsOwnThatIsNeverTooLarge) {
  Outbox outbox;
  ASSERT_TRUE(push(outbox, chunk_bytes_max()));
  ASSERT_TRUE(push(outbox, 1));
  std::string frame(limits::frame_bytes_max - chunk_bytes_max(), 'h');
  EXPECT_EQ(outbox.fill(frame), 1U);
  EXPECT_LE(frame.size(), limits::frame_bytes_max);
  EXPECT_GE(chunk_bytes_max(), limits::payload_bytes_max);
}

TEST(Outbox, TakesNoMoreThanItsWindowAndLeavesTheChunkAlone) {
  Outbox outbox;
  while (push(outbox, 1024 * 1024)) {
  }
  EXPECT_EQ(outbox.bytes(), limits::peer_window_bytes_max);
  std::string chunk = "one more";
  EXPECT_FALSE(outbox.push(chunk));
  EXPECT_EQ(chunk, "one more");
}

TEST(Outbox, GivesBackAllThatWaitedInOrder) {
  Outbox outbox;
  for (const char fill : {'a', 'b', 'c'}) ASSERT_TRUE(push(outbox, 1, fill));
  EXPECT_EQ(outbox.take(), (std::deque<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(outbox.bytes(), 0U);
}

}  // namespace
}  // namespace cobus::link
