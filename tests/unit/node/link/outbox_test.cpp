// SPDX-License-Identifier: Apache-2.0
#include "node/link/outbox.hpp"

#include <gtest/gtest.h>

#include "node/runtime/random.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace cobus::link {
namespace {

bool push(Outbox& outbox, std::size_t bytes, char fill = 'x') {
  std::string chunk(bytes, fill);
  return outbox.push(chunk);
}

// Sends the next frame: its number and what is in it.
std::pair<std::uint64_t, std::string> send(Outbox& outbox) {
  const std::uint64_t sequence = outbox.next_sequence();
  std::string frame;
  outbox.sent(outbox.fill(frame));
  return {sequence, frame};
}

TEST(Outbox, FillsAFrameWithAllChunksThatFitTheTarget) {
  Outbox outbox;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(push(outbox, 1000));
  std::string frame = "header";
  const std::size_t count = outbox.fill(frame);
  EXPECT_EQ(count, (limits::frame_bytes_target - 6) / 1000);
  EXPECT_EQ(frame.size(), 6 + count * 1000);
  outbox.sent(count);
  EXPECT_EQ(outbox.waiting_bytes(), (100 - count) * 1000);
  EXPECT_EQ(outbox.bytes(), 100 * 1000U);
}

TEST(Outbox, WritesTheSameAgainUntilItWasSent) {
  Outbox outbox;
  ASSERT_TRUE(push(outbox, 1, 'a'));
  ASSERT_TRUE(push(outbox, 1, 'b'));
  std::string frame;
  std::string again;
  EXPECT_EQ(outbox.fill(frame), 2U);
  EXPECT_EQ(outbox.fill(again), 2U);
  EXPECT_EQ(frame, "ab");
  EXPECT_EQ(again, "ab");
  EXPECT_EQ(outbox.next_sequence(), 1U);
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

TEST(Outbox, KeepsWhatWasSentUntilItIsAcknowledged) {
  Outbox outbox;
  for (const char fill : {'a', 'b', 'c'}) {
    ASSERT_TRUE(push(outbox, 10, fill));
    send(outbox);
  }
  EXPECT_TRUE(outbox.all_sent());
  EXPECT_FALSE(outbox.may_send());
  EXPECT_EQ(outbox.bytes(), 30U);
  EXPECT_TRUE(outbox.acknowledge(2));
  EXPECT_EQ(outbox.bytes(), 10U);
  EXPECT_TRUE(outbox.acknowledge(1));  // old news
  EXPECT_EQ(outbox.bytes(), 10U);
  EXPECT_FALSE(outbox.acknowledge(4));  // never sent
  EXPECT_TRUE(outbox.acknowledge(3));
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(outbox.next_sequence(), 4U);
}

TEST(Outbox, SendsTheSameFramesUnderTheSameNumbersAgain) {
  Outbox outbox;
  std::vector<std::pair<std::uint64_t, std::string>> first;
  for (int i = 0; i < 5; ++i) {
    // Several chunks in a frame, which would all fit into one frame if they were put together anew.
    for (int j = 0; j <= i; ++j) ASSERT_TRUE(push(outbox, 3, static_cast<char>('a' + i)));
    first.push_back(send(outbox));
  }
  ASSERT_TRUE(push(outbox, 1, 'z'));
  outbox.rewind();
  EXPECT_FALSE(outbox.all_sent());
  EXPECT_TRUE(outbox.acknowledge(2));  // these had arrived
  for (std::size_t i = 2; i < 5; ++i) EXPECT_EQ(send(outbox), first[i]);
  EXPECT_EQ(send(outbox), (std::pair<std::uint64_t, std::string>(6, "z")));
  EXPECT_TRUE(outbox.all_sent());
}

TEST(Outbox, LeavesOutWhatTurnsOutToHaveArrivedWhileItGoesAgain) {
  Outbox outbox;
  for (const char fill : {'a', 'b', 'c', 'd'}) {
    ASSERT_TRUE(push(outbox, 1, fill));
    send(outbox);
  }
  outbox.rewind();
  EXPECT_EQ(send(outbox).second, "a");
  EXPECT_TRUE(outbox.acknowledge(3));  // over the connection before
  EXPECT_EQ(send(outbox), (std::pair<std::uint64_t, std::string>(4, "d")));
  EXPECT_FALSE(outbox.may_send());
}

TEST(Outbox, KnowsWhereASessionMayGoOn) {
  Outbox outbox;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(push(outbox, 1));
    send(outbox);
  }
  ASSERT_TRUE(outbox.acknowledge(1));
  for (const std::uint64_t sequence : {0, 1, 2, 3}) EXPECT_TRUE(outbox.may_resume_at(sequence));
  EXPECT_FALSE(outbox.may_resume_at(4));
  // A Hello that was written before the last acknowledgement, and came after it on another connection.
  EXPECT_TRUE(outbox.acknowledge(0));
  outbox.rewind();
  EXPECT_EQ(send(outbox).first, 2U) << "1 has arrived all the same";
}

TEST(Outbox, LetsNoMoreBeUnderWayThanTheWindow) {
  Outbox outbox;
  const std::size_t chunk = limits::frame_bytes_target;
  while (push(outbox, chunk)) {
  }
  EXPECT_EQ(outbox.waiting_bytes(), limits::peer_waiting_bytes_max);
  while (outbox.may_send()) send(outbox);
  EXPECT_TRUE(outbox.all_sent());
  while (push(outbox, chunk)) {
  }
  EXPECT_FALSE(outbox.may_send());
  EXPECT_EQ(outbox.bytes() - outbox.waiting_bytes(), limits::peer_window_bytes_max);
  ASSERT_TRUE(outbox.acknowledge(1));
  EXPECT_TRUE(outbox.may_send());
  std::string one_more = "one more";
  EXPECT_FALSE(outbox.push(one_more));
  EXPECT_EQ(one_more, "one more");
}

TEST(Outbox, GivesBackWhatMayHaveArrivedApartFromWhatWaited) {
  Outbox outbox;
  for (const char fill : {'a', 'b', 'c', 'd'}) ASSERT_TRUE(push(outbox, limits::frame_bytes_target, fill));
  send(outbox);
  send(outbox);
  ASSERT_TRUE(outbox.acknowledge(1));
  const auto sent = outbox.take_unacknowledged();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0][0], 'b');
  const auto waited = outbox.take();
  ASSERT_EQ(waited.size(), 2U);
  EXPECT_EQ(waited[0][0], 'c');
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(outbox.bytes(), 0U);
  EXPECT_EQ(outbox.next_sequence(), 1U);
}

// Whatever the order of events: what the receiver takes, by the numbers, is what was pushed.
TEST(Outbox, LosesAndDoublesNothingOverAnyConnections) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    SeededRandom random(seed);
    Outbox outbox;
    std::string pushed;
    std::string received;
    std::uint64_t last = 0;
    std::deque<std::pair<std::uint64_t, std::string>> wire;
    for (int step = 0; step < 300; ++step) {
      switch (random.below(5)) {
        case 0:
        case 1:
          pushed += static_cast<char>('a' + step % 26);
          ASSERT_TRUE(push(outbox, 1, pushed.back()));
          break;
        case 2:
          if (outbox.may_send()) wire.push_back(send(outbox));
          break;
        case 3:
          if (wire.empty()) break;
          ASSERT_LE(wire.front().first, last + 1) << "seed " << seed;
          if (wire.front().first == last + 1) {
            received += wire.front().second;
            ++last;
          }
          wire.pop_front();
          break;
        default:
          if (random.below(4) == 0) {  // the connection is lost
            wire.clear();
            outbox.rewind();
          }
          if (random.below(2) == 0) {
            ASSERT_TRUE(outbox.acknowledge(last - random.below(last + 1))) << "seed " << seed;
          }
      }
    }
    wire.clear();
    outbox.rewind();
    ASSERT_TRUE(outbox.acknowledge(last));
    while (outbox.may_send()) received += send(outbox).second;
    ASSERT_EQ(received, pushed) << "seed " << seed;
  }
}

}  // namespace
}  // namespace cobus::link
