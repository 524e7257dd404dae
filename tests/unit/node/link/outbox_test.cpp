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

// The same as the link does it: a large chunk is not copied, and its frame is read for as long as `held` has
// it.
std::pair<std::uint64_t, std::string> send_shared(Outbox& outbox,
                                                  std::vector<std::shared_ptr<std::string>>& held) {
  const std::shared_ptr<std::string> alone = outbox.alone();
  if (alone == nullptr) return send(outbox);
  const std::uint64_t sequence = outbox.next_sequence();
  *alone += "header";
  std::string frame = alone->substr(0, alone->size() - 6);
  held.push_back(alone);
  outbox.sent(1);
  return {sequence, std::move(frame)};
}

TEST(Outbox, HandsOutAChunkThatIsAFrameByItself) {
  Outbox outbox;
  ASSERT_TRUE(push(outbox, limits::frame_bytes_target, 'a'));
  ASSERT_TRUE(push(outbox, limits::frame_bytes_target, 'b'));
  std::shared_ptr<std::string> alone = outbox.alone();
  ASSERT_NE(alone, nullptr);
  EXPECT_EQ(*alone, std::string(limits::frame_bytes_target, 'a'));
  *alone += "header";
  const char* const bytes = alone->data();
  const std::shared_ptr<std::string> read_by_the_transport = alone;
  alone.reset();
  outbox.sent(1);

  outbox.rewind();
  EXPECT_EQ(outbox.alone(), nullptr) << "its header may not change while it is read";
  EXPECT_EQ(send(outbox).second, std::string(limits::frame_bytes_target, 'a'))
      << "without the header of before";
  const auto taken = outbox.take_unacknowledged();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0], std::string(limits::frame_bytes_target, 'a'));
  EXPECT_NE(taken[0].data(), bytes) << "and is not taken away from who reads it";
  EXPECT_EQ(read_by_the_transport->substr(limits::frame_bytes_target), "header");
}

TEST(Outbox, CopiesWhatIsSmallOrGoesTogether) {
  Outbox outbox;
  ASSERT_TRUE(push(outbox, 100));
  EXPECT_EQ(outbox.alone(), nullptr);
  ASSERT_TRUE(push(outbox, 100));
  EXPECT_EQ(outbox.fill(*std::make_unique<std::string>()), 2U);
  Outbox two;
  ASSERT_TRUE(push(two, 5000));
  EXPECT_NE(two.alone(), nullptr);
  ASSERT_TRUE(push(two, 5000));
  EXPECT_EQ(two.alone(), nullptr);
  send(two);
  two.rewind();
  EXPECT_EQ(two.alone(), nullptr) << "it was a frame of two";
}

TEST(Outbox, ASmallChunkJoinsTheOneBeforeItThatHasRoom) {
  Outbox outbox;
  std::string first(5000, 'a');
  first.reserve(limits::frame_bytes_target);
  ASSERT_TRUE(outbox.push(first));
  ASSERT_TRUE(push(outbox, 5000, 'b'));
  const auto alone = outbox.alone();
  ASSERT_NE(alone, nullptr) << "one chunk now";
  EXPECT_EQ(*alone, std::string(5000, 'a') + std::string(5000, 'b'));
  EXPECT_EQ(outbox.waiting_bytes(), 10'000U);
  *alone += "header";
  ASSERT_TRUE(push(outbox, 5000, 'c'));
  EXPECT_EQ(*alone, std::string(5000, 'a') + std::string(5000, 'b') + "header") << "not while it is read";
  outbox.sent(1);
  ASSERT_TRUE(push(outbox, 10, 'd'));
  EXPECT_EQ(send(outbox).second, std::string(5000, 'c') + std::string(10, 'd')) << "nor what was sent";
  EXPECT_EQ(outbox.bytes(), 15'010U);
  ASSERT_TRUE(outbox.acknowledge(2));
  EXPECT_EQ(outbox.bytes(), 0U);
}

TEST(Outbox, KeepsTheMemoryOfWhatWasAcknowledgedForWhatComes) {
  Outbox outbox;
  std::string chunk(limits::frame_bytes_target, 'x');
  const char* const bytes = chunk.data();
  ASSERT_TRUE(outbox.push(chunk));
  send(outbox);
  ASSERT_TRUE(push(outbox, limits::frame_bytes_target));
  const auto read_by_the_transport = outbox.alone();
  outbox.sent(1);
  Spares spares;
  ASSERT_TRUE(outbox.acknowledge(2, &spares));
  const std::string spare = spares.take();
  EXPECT_EQ(spare.data(), bytes);
  EXPECT_TRUE(spare.empty());
  EXPECT_TRUE(spares.empty()) << "the other is still read";
}

TEST(Outbox, KeepsTheMemoryOfAPartOfALargeMessage) {
  Outbox outbox;
  std::string chunk;
  chunk.reserve(limits::part_bytes + 200);  // with what is around it
  chunk.assign(limits::part_bytes + 100, 'x');
  const char* const bytes = chunk.data();
  ASSERT_TRUE(outbox.push(chunk));
  send(outbox);
  Spares spares;
  ASSERT_TRUE(outbox.acknowledge(1, &spares));
  EXPECT_EQ(spares.take().data(), bytes);
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
    std::vector<std::shared_ptr<std::string>> held;
    Spares spares;
    const auto push_some = [&](char what) {
      const std::size_t bytes = random.below(4) == 0 ? 5000 : 1;
      pushed.append(bytes, what);
      return push(outbox, bytes, what);
    };
    for (int step = 0; step < 300; ++step) {
      switch (random.below(5)) {
        case 0:
        case 1:
          ASSERT_TRUE(push_some(static_cast<char>('a' + step % 26)));
          break;
        case 2:
          if (outbox.may_send()) wire.push_back(send_shared(outbox, held));
          if (!held.empty() && random.below(3) == 0) held.erase(held.begin());
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
            ASSERT_TRUE(outbox.acknowledge(last - random.below(last + 1), &spares)) << "seed " << seed;
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
