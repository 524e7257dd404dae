// SPDX-License-Identifier: Apache-2.0
//
// The failure detector of Links on a simulated network: who is suspected, who is taken for down, and when
// a node whose own loop comes late doubts itself first.
#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "tests/unit/node/link/link_world.hpp"

namespace cobus::link {
namespace {

using namespace std::chrono_literals;

struct LinkDetector : LinkPair {
  [[nodiscard]] TimePoint now() { return world.network.clock().now(); }
  // Alpha's loop stands still, the rest of the world goes on.
  void hold_alpha(Duration span) {
    const TimePoint end = now() + span;
    world.network.freeze("alpha", end);
    while (now() < end) {
      for (const auto& node : world.nodes) {
        if (node.get() != &a) node->links->poll(Duration(0));
      }
      world.network.clock().advance(10ms);
    }
  }
  // As one that gets a tenth of the time that it needs. True once `done`.
  bool run_with_alpha_late(Duration span, const std::function<bool()>& done) {
    for (const TimePoint end = now() + span; now() < end;) {
      hold_alpha(2200ms);
      if (world.run(100ms, done)) return true;
    }
    return done();
  }
  using Verdicts = std::vector<std::pair<NodeId, bool>>;
};

TEST_F(LinkDetector, SuspectsAfterThreeSecondsAndTakesItBackWhenItHearsSomething) {
  connect();
  world.network.cut("alpha", "beta");
  const TimePoint cut_at = now();
  ASSERT_TRUE(world.run(10s, [&] { return !a.suspected.empty(); }));
  EXPECT_GE(now() - cut_at, limits::suspect_after - limits::beat_interval);
  EXPECT_LE(now() - cut_at, limits::suspect_after + 100ms);
  world.network.heal_all();
  world.run(2s);
  EXPECT_EQ(a.suspected, (Verdicts{{b.id, true}, {b.id, false}}));
  EXPECT_TRUE(a.downs.empty() && b.downs.empty());
}

TEST_F(LinkDetector, SuspectsWhomItHasNoConnectionToAsWell) {
  connect();
  b.know(a);
  world.network.break_connections("alpha", "beta");
  world.run(5ms);
  world.network.cut("alpha", "beta");
  EXPECT_TRUE(world.run(limits::suspect_after + 100ms, [&] { return !a.suspected.empty(); }));
  EXPECT_TRUE(a.downs.empty());
  world.network.heal_all();
  EXPECT_TRUE(world.run(limits::down_after - limits::suspect_after, [&] { return a.suspected.size() == 2; }));
  EXPECT_TRUE(a.downs.empty() && b.downs.empty());
}

TEST_F(LinkDetector, TheVerdictOfAPairIsNobodyElses) {
  connect();
  LinkNode& c = world.add({.name = "gamma", .endpoint = endpoint_c, .id = 3});
  for (LinkNode* node : {&a, &b}) {
    node->know(c);
    node->send(c, 0);
  }
  world.run(1s);
  world.network.cut("alpha", "beta");
  world.run(10s);
  EXPECT_EQ(a.downs.size(), 1U);
  EXPECT_EQ(b.downs.size(), 1U);
  EXPECT_TRUE(a.sees(c) && b.sees(c));
  EXPECT_TRUE(c.downs.empty() && c.suspected.empty());
}

// What beta said waits in alpha's sockets when alpha comes back, behind the time for it.
TEST_F(LinkDetector, ReadsBeforeItJudges) {
  connect();
  world.network.cut("alpha", "beta");
  world.run(4'100ms);
  world.network.heal_all();
  hold_alpha(950ms);
  world.run(10s);
  EXPECT_TRUE(a.downs.empty() && b.downs.empty());
}

TEST_F(LinkDetector, TakesBackAClientThatCameWhileItWasAway) {
  LinkNode& client = world.add({.name = "client", .endpoint = "", .id = 3, .role = v1::SUBMIT});
  client.know(a);
  client.send(a, 0);
  world.run(1s);
  world.network.break_connections("client", "alpha");
  world.run(5ms);
  hold_alpha(950ms);  // more than a client has to come back
  world.run(5s);
  EXPECT_TRUE(a.downs.empty() && client.downs.empty());
}

TEST_F(LinkDetector, DoubtsItselfFirstWhenItsOwnLoopIsLate) {
  connect();
  run_with_alpha_late(3s, [] { return false; });
  EXPECT_GE(a.links->counters().late, 1U);
  world.network.cut("alpha", "beta");
  // As long as that would be too much for one that is well; beta is, and has its own verdict.
  run_with_alpha_late(limits::down_after + 2s, [] { return false; });
  EXPECT_TRUE(a.downs.empty());
  EXPECT_EQ(b.downs.size(), 1U);
}

TEST_F(LinkDetector, NoticesSilenceInBoundedTimeHoweverLateItsLoopIs) {
  connect();
  run_with_alpha_late(10s, [] { return false; });
  EXPECT_TRUE(a.downs.empty()) << "beta is alive, and heard";
  world.network.cut("alpha", "beta");
  const TimePoint cut_at = now();
  EXPECT_TRUE(run_with_alpha_late(60s, [&] { return !a.downs.empty(); }));
  EXPECT_LE(now() - cut_at, (1 + limits::doubt_max) * limits::down_after + 3s);
}

TEST_F(LinkDetector, W4_NoticesSilenceInFiveSecondsOnceItsLoopIsWellAgain) {
  connect();
  run_with_alpha_late(10s, [] { return false; });
  world.run(limits::doubt_max * limits::doubt_eases_after);
  ASSERT_TRUE(a.downs.empty() && b.downs.empty());
  world.network.cut("alpha", "beta");
  const TimePoint cut_at = now();
  ASSERT_TRUE(world.run(10s, [&] { return !a.downs.empty(); }));
  EXPECT_LE(now() - cut_at, limits::down_after + 100ms);
}

TEST_F(LinkDetector, OneHiccupDoesNotMakeItNoticeLaterSilenceLater) {
  connect();
  hold_alpha(1950ms);
  EXPECT_EQ(a.links->counters().late, 0U) << "it does not know yet";
  world.network.cut("alpha", "beta");
  const TimePoint cut_at = now();
  ASSERT_TRUE(world.run(10s, [&] { return !a.downs.empty(); }));
  EXPECT_EQ(a.links->counters().late, 1U);
  EXPECT_LE(now() - cut_at, limits::down_after + 100ms);
}

}  // namespace
}  // namespace cobus::link
