// SPDX-License-Identifier: Apache-2.0
#include "node/link/session.hpp"

#include <gtest/gtest.h>

namespace cobus::link {
namespace {

// Carries one frame header from one session to the other.
Status pass(const std::string& frame, Session& to) { return to.receive(*read_frame_header(frame)); }

std::string next_frame(Session& from) {
  std::string frame;
  from.begin_frame(frame);
  from.sent();
  return frame;
}

TEST(Session, NumbersFramesFromOneInEachDirection) {
  Session a(7);
  Session b(7);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const std::string frame = next_frame(a);
    EXPECT_EQ(read_frame_header(frame)->sequence, i);
    EXPECT_TRUE(pass(frame, b).ok());
  }
  const std::string back = next_frame(b);
  EXPECT_EQ(read_frame_header(back)->sequence, 1U);
  EXPECT_EQ(read_frame_header(back)->acknowledged, 3U);
  EXPECT_TRUE(pass(back, a).ok());
}

TEST(Session, WritesTheSameNumberAgainUntilTheFrameWasSent) {
  Session a(7);
  std::string one;
  std::string two;
  a.begin_frame(one);
  a.begin_frame(two);
  EXPECT_EQ(one, two);
}

TEST(Session, DoesNotNumberBeats) {
  Session a(7);
  Session b(7);
  std::string beat;
  a.write_beat(beat);
  EXPECT_TRUE(pass(beat, b).ok());
  EXPECT_TRUE(pass(beat, b).ok());
  EXPECT_TRUE(pass(next_frame(a), b).ok());
}

TEST(Session, NoticesGapsAndRepetitions) {
  Session a(7);
  Session b(7);
  const std::string first = next_frame(a);
  const std::string second = next_frame(a);
  EXPECT_EQ(pass(second, b).code(), Code::data_loss);
  EXPECT_TRUE(pass(first, b).ok());
  EXPECT_EQ(pass(first, b).code(), Code::data_loss);
  EXPECT_EQ(pass(first, b).message(), "frame 1 came where 2 was due");
}

TEST(Session, RefusesHeadersThatCannotBeOfIt) {
  Session session(7);
  EXPECT_EQ(session.receive({.session = 8, .sequence = 1}).code(), Code::internal);
  EXPECT_EQ(session.receive({.session = 7, .sequence = 1, .acknowledged = 1}).code(), Code::internal);
  EXPECT_EQ(session.receive({.session = 7, .sequence = 1, .hello = "again"}).code(), Code::internal);
  EXPECT_TRUE(session.receive({.session = 7, .sequence = 1}).ok());
}

}  // namespace
}  // namespace cobus::link
