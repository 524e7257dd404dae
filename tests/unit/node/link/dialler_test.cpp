// SPDX-License-Identifier: Apache-2.0
#include "node/link/dialler.hpp"

#include <gtest/gtest.h>

#include "proto/limits.hpp"

namespace cobus::link {
namespace {

using namespace std::chrono_literals;

constexpr Goal target = {TargetId{1}, NodeId::none};
constexpr Goal node = {TargetId::none, NodeId{9}};

struct DiallerTest : testing::Test {
  SeededRandom random{1};
  Dialler dialler{random};
  TimePoint now{100s};
  std::uint64_t last_connection = 0;
  CurveKey key{};

  DiallerTest() { key.bytes.fill(1); }
  // Connects it, loses it after so long, and moves on to when it is dialled again.
  Duration pause_after_session_of(Duration span) {
    start();
    dialler.connected(target, now);
    EXPECT_EQ(start(), "");
    now += span;
    dialler.lost(target, now);
    const Duration pause = dialler.due() - now;
    now = dialler.due();
    return pause;
  }
  // Starts what is due; the endpoint, or "" when nothing is.
  std::string start() {
    const auto attempt = dialler.next(now);
    if (!attempt) return {};
    dialler.started(attempt->goal, ConnectionId{++last_connection});
    return attempt->endpoint;
  }
};

TEST_F(DiallerTest, DialsOnlyWhomItKnowsAndIsToldToDial) {
  dialler.want(node, true);
  EXPECT_EQ(start(), "");
  dialler.set(node, {"one"}, key);
  EXPECT_EQ(start(), "");
  EXPECT_EQ(dialler.due(), never);
  dialler.want(node, true);
  EXPECT_EQ(start(), "one");
  EXPECT_EQ(start(), "");
}

TEST_F(DiallerTest, GoesThroughTheEndpointsAndPausesAfterEachRound) {
  dialler.set(target, {"one", "two"}, key);
  dialler.want(target, true);
  EXPECT_EQ(start(), "one");
  EXPECT_FALSE(dialler.failed(target, now, true));
  EXPECT_EQ(start(), "two");
  EXPECT_TRUE(dialler.failed(target, now, true));
  EXPECT_EQ(start(), "");
  EXPECT_GT(dialler.due(), now);
  EXPECT_LE(dialler.due(), now + limits::redial_first);
  now = dialler.due();
  EXPECT_EQ(start(), "one");
}

TEST_F(DiallerTest, IsHopelessOnlyWhenEachEndpointGaveADefiniteAnswer) {
  dialler.set(target, {"one", "two"}, key);
  dialler.want(target, true);
  start();
  dialler.failed(target, now, false);
  start();
  EXPECT_FALSE(dialler.failed(target, now, true));
  now = dialler.due();
  start();
  dialler.failed(target, now, true);
  start();
  EXPECT_TRUE(dialler.failed(target, now, true));
}

TEST_F(DiallerTest, PausesLongerAndLongerUpToTheCap) {
  dialler.set(target, {"one"}, key);
  dialler.want(target, true);
  Duration longest{};
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(start(), "one");
    dialler.failed(target, now, true);
    longest = std::max(longest, dialler.due() - now);
    ASSERT_LE(dialler.due() - now, limits::redial_max);
    now = dialler.due();
  }
  EXPECT_GT(longest, limits::redial_max / 2);
}

TEST_F(DiallerTest, TriesOftenWhileASessionWaitsAndThenBacksOff) {
  dialler.set(target, {"one"}, key);
  dialler.want(target, true);
  start();
  dialler.connected(target, now);
  now += 1s;
  dialler.lost(target, now);
  const TimePoint lost = now;
  Duration longest{};
  for (int i = 0; i < 200; ++i) {
    now = dialler.due();
    start();
    dialler.failed(target, now, true);
    longest = std::max(longest, dialler.due() - now);
    if (now < lost + limits::down_after) {
      ASSERT_LE(longest, limits::redial_session_max);
    }
  }
  EXPECT_GT(dialler.due() - lost, 30s);  // far fewer than five a second
}

TEST_F(DiallerTest, StartsAfreshOnlyAfterAGoodSession) {
  dialler.set(target, {"one"}, key);
  dialler.want(target, true);
  Duration longest{};
  for (int i = 0; i < 20; ++i) {
    longest = std::max(longest, pause_after_session_of(1s));
  }
  EXPECT_GT(longest, limits::redial_first);
  EXPECT_LE(longest, limits::redial_session_max);
  EXPECT_LE(pause_after_session_of(10min), limits::redial_first);
  EXPECT_LE(pause_after_session_of(6s), limits::redial_first) << "the second in a while";
}

TEST_F(DiallerTest, GrowsItsPausesForWhoIsLostAgainAndAgainButNotAboveTheCap) {
  dialler.set(target, {"one"}, key);
  dialler.want(target, true);
  Duration longest{};
  for (int i = 0; i < 40; ++i) {
    longest = std::max(longest, pause_after_session_of(6s));
    if (i < 2) {
      EXPECT_LE(longest, limits::redial_first) << "an ordinary outage";
    }
  }
  EXPECT_GT(longest, limits::redial_first);
  EXPECT_LE(longest, limits::redial_session_max) << "its session may wait";
  now += limits::down_after;  // no more
  start();
  dialler.failed(target, now, true);
  EXPECT_LE(dialler.due() - now, limits::redial_max);
}

TEST_F(DiallerTest, RedialsWhoWasConnectedAsLongAsItIsKnown) {
  dialler.set(node, {"one"}, key);
  dialler.connected(node, now);
  dialler.lost(node, now);
  now = dialler.due();
  EXPECT_EQ(start(), "one");
  dialler.failed(node, now, true);
  dialler.give_up(node);
  now = dialler.due();
  EXPECT_EQ(start(), "one");
  dialler.remove(node);
  EXPECT_EQ(dialler.due(), never);
}

TEST_F(DiallerTest, GivesUpWhoNeverAnsweredUntilWantedAgain) {
  dialler.set(node, {"one"}, key);
  dialler.want(node, true);
  start();
  dialler.failed(node, now, true);
  dialler.give_up(node);
  EXPECT_EQ(dialler.due(), never);
  dialler.want(node, true);
  EXPECT_NE(dialler.due(), never);
}

TEST_F(DiallerTest, DialsANewEndpointAtOnce) {
  dialler.set(node, {"one"}, key);
  dialler.want(node, true);
  start();
  dialler.failed(node, now, true);
  dialler.set(node, {"one"}, key);  // no news
  EXPECT_EQ(start(), "");
  dialler.set(node, {"other"}, key);
  EXPECT_EQ(start(), "other");
}

TEST_F(DiallerTest, KnowsWhichOfItsAttemptsMayReachANode) {
  EXPECT_FALSE(dialler.attempt_towards(NodeId{9}, key).has_value());
  dialler.set(target, {"one"}, key);
  dialler.want(target, true);
  start();
  EXPECT_EQ(dialler.attempt_towards(NodeId{9}, key), ConnectionId{1});
  EXPECT_FALSE(dialler.attempt_towards(NodeId{9}, CurveKey{}).has_value());
  dialler.abandoned(target);
  EXPECT_FALSE(dialler.attempt_towards(NodeId{9}, key).has_value());
  EXPECT_EQ(dialler.attempt(target), ConnectionId::none);
}

}  // namespace
}  // namespace cobus::link
