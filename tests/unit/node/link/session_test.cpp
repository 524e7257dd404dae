// SPDX-License-Identifier: Apache-2.0
#include "node/link/session.hpp"

#include <gtest/gtest.h>

namespace cobus::link {
namespace {

using Verdict = Session::Verdict;

std::string frame_of(const Session& session, std::uint64_t sequence) {
  std::string frame;
  session.write_header(frame, sequence);
  return frame;
}

// Carries one frame header to `to`.
Result<Verdict> pass(const std::string& frame, Session& to) { return to.receive(*read_frame_header(frame)); }

TEST(Session, TakesFramesFromOneOnAndSaysWhatHasCome) {
  const Session a(7);
  Session b(7);
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(pass(frame_of(a, i), b), Verdict::fresh);
  EXPECT_EQ(b.received(), 3U);
  const auto back = read_frame_header(frame_of(b, 1));
  EXPECT_EQ(back.value().session, 7U);
  EXPECT_EQ(back.value().sequence, 1U);
  EXPECT_EQ(back.value().acknowledged, 3U);
}

TEST(Session, DoesNotNumberBeatsAndWordsOfItsEnd) {
  const Session a(7);
  Session b(7);
  std::string beat;
  a.write_beat(beat, 0);
  EXPECT_EQ(pass(beat, b), Verdict::beat);
  EXPECT_EQ(pass(beat, b), Verdict::beat);
  std::string end;
  a.write_end(end, 0, {Code::unavailable, "enough"});
  EXPECT_EQ(pass(end, b), Verdict::beat);
  EXPECT_EQ(decode_status(read_frame_header(end)->end).message(), "enough");
  EXPECT_EQ(pass(frame_of(a, 1), b), Verdict::fresh);
}

TEST(Session, IsConfirmedByAnyFrameThatIsOfIt) {
  for (const std::uint64_t sequence : {0, 1}) {
    Session session(7);
    EXPECT_FALSE(session.confirmed());
    EXPECT_FALSE(session.receive({.session = 8}).has_value());
    EXPECT_FALSE(session.confirmed());
    EXPECT_TRUE(session.receive({.session = 7, .sequence = sequence}).has_value());
    EXPECT_TRUE(session.confirmed());
  }
}

TEST(Session, KnowsWhatComesASecondTime) {
  const Session a(7);
  Session b(7);
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(pass(frame_of(a, i), b), Verdict::fresh);
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(pass(frame_of(a, i), b), Verdict::repeat);
  EXPECT_EQ(pass(frame_of(a, 4), b), Verdict::fresh);
}

TEST(Session, NoticesAGapAndStaysWhereItWas) {
  const Session a(7);
  Session b(7);
  const auto gap = pass(frame_of(a, 2), b);
  ASSERT_FALSE(gap.has_value());
  EXPECT_EQ(gap.error().code(), Code::data_loss);
  EXPECT_EQ(gap.error().message(), "frame 2 came where 1 was due");
  EXPECT_EQ(pass(frame_of(a, 1), b), Verdict::fresh);
}

TEST(Session, MissesTheLastFrameToo) {
  const Session a(7);
  Session b(7);
  EXPECT_EQ(pass(frame_of(a, 1), b), Verdict::fresh);
  for (const std::uint64_t sent : {0, 1}) {
    std::string beat;
    a.write_beat(beat, sent);
    EXPECT_EQ(pass(beat, b), Verdict::beat);
  }
  std::string beat;
  a.write_beat(beat, 2);
  std::string end;
  a.write_end(end, 2, {Code::unavailable, "enough"});
  for (const std::string& frame : {beat, end}) {
    const auto gap = pass(frame, b);
    ASSERT_FALSE(gap.has_value());
    EXPECT_EQ(gap.error().code(), Code::data_loss);
    EXPECT_EQ(gap.error().message(), "frame 2 was sent and did not come");
  }
  EXPECT_EQ(pass(frame_of(a, 2), b), Verdict::fresh);
  EXPECT_EQ(pass(beat, b), Verdict::beat);
}

TEST(Session, RefusesHeadersThatCannotBeOfIt) {
  Session session(7);
  EXPECT_EQ(session.receive({.session = 8, .sequence = 1}).error().code(), Code::internal);
  EXPECT_EQ(session.receive({.session = 7, .sequence = 1, .hello = "again"}).error().code(), Code::internal);
  EXPECT_EQ(session.receive({.session = 7, .sequence = 1, .hello = ""}).error().code(), Code::internal)
      << "an empty one was sent as well";
  EXPECT_EQ(session.received(), 0U);
  EXPECT_EQ(session.receive({.session = 7, .sequence = 1}), Verdict::fresh);
}

}  // namespace
}  // namespace cobus::link
