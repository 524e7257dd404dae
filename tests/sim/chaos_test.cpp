// SPDX-License-Identifier: Apache-2.0
//
// Everything at once, from a seed: what is promised holds whatever happens to processes and network, and
// afterwards nothing is left.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/sim/chaos.hpp"
#include "tests/sim/seeds.hpp"

namespace cobus::sim {
namespace {

using std::chrono::seconds;

struct Outcome {
  std::uint64_t history = 0;
  std::map<std::string, std::uint64_t> counts;
};

Outcome run(std::uint64_t seed) {
  SCOPED_TRACE(replay(seed));
  Chaos chaos(seed);
  chaos.rage(seconds(15));
  chaos.calm_down();
  chaos.stop();
  for (const std::string& complaint : chaos.complaints.first()) ADD_FAILURE() << complaint;
  EXPECT_EQ(chaos.complaints.count(), 0U);
  chaos.counts["messages"] = chaos.order.received();
  chaos.counts["downs"] = chaos.monitors.downs();
  for (const auto& [code, times] : chaos.calls.ended())
    chaos.counts["calls: " + std::string(code_name(code))] = times;
  return {chaos.cluster.history(), std::move(chaos.counts)};
}

TEST(SimChaos, WhatIsPromisedHoldsAndNothingIsLeft) {
  std::map<std::string, std::uint64_t> sums;
  for (const std::uint64_t seed : seeds()) {
    for (const auto& [what, times] : run(seed).counts) sums[what] += times;
  }
  // Else it shows little.
  for (const char* const what :
       {"broken", "parted", "paused", "node killed", "messages", "down: ended", "down: lost", "exit",
        "no room", "node down", "guests", "restarts", "family: over", "calls: OK", "calls: DEADLINE_EXCEEDED",
        "calls: UNAVAILABLE"})
    EXPECT_GT(sums[what], 0U) << what;
  for (const auto& [what, times] : sums) std::printf("%12lu  %s\n", times, what.c_str());
}

TEST(SimChaos, TheSameSeedGivesTheSameRun) {
  const Outcome first = run(11);
  EXPECT_EQ(first.history, run(11).history);
  EXPECT_NE(first.history, run(12).history);
}

}  // namespace
}  // namespace cobus::sim
