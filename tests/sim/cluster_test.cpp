// SPDX-License-Identifier: Apache-2.0
//
// The whole cluster in one thread, from a seed.
#include <gtest/gtest.h>

#include <string>

#include "echo.cobus.h"
#include "tests/sim/seeds.hpp"
#include "tests/sim/sim_cluster.hpp"
#include "text.cobus.h"

namespace cobus::sim {
namespace {

using std::chrono::seconds;

const std::vector<std::string> all = {"alpha", "beta", "gamma"};

void start_all(SimCluster& cluster) {
  cluster.start_broker();
  for (const std::string& name : all) cluster.start_node(name);
}

bool all_see(SimCluster& cluster, const std::vector<std::string>& nodes) {
  for (const std::string& name : nodes) {
    if (!cluster.sees(name, nodes)) return false;
  }
  return true;
}

struct Tally {
  int replied = 0;
  std::map<Code, int> failed;
  int done() const {
    int count = replied;
    for (const auto& [code, times] : failed) count += times;
    return count;
  }
};

Task<> call_many(Self self, NodeId to, int times, Tally* tally) {
  for (int i = 0; i < times; ++i) {
    echo::EchoRequest request;
    request.set_text(std::to_string(i));
    echo::EchoStub echo(self, to);
    CallOptions options;
    options.timeout = seconds(10);
    auto reply = co_await echo.Echo(request, options);
    if (!reply) {
      ++tally->failed[reply.error().code()];
    } else if (reply->text() == request.text()) {
      ++tally->replied;
    }
  }
}

Task<> grep(Self self, NodeId to, std::string text, std::vector<std::uint64_t>* lines, Status* status) {
  text::GrepRequest request;
  request.set_text(std::move(text));
  request.set_pattern("needle");
  auto found = text::TextStub(self, to).Grep(std::move(request));
  while (auto line = co_await found.next()) lines->push_back(line->number());
  *status = found.status();
}

TEST(SimCluster, NodesWithTheLargestRecordsFindOneAnother) {
  SimCluster cluster(1);
  cluster.start_broker();
  std::vector<std::string> names;
  for (char last = 'a'; last <= 'x'; ++last) {
    names.push_back(std::string("large-") + last);
    cluster.start_node(names.back(), 60'000);
  }
  ASSERT_TRUE(cluster.run_until([&] { return all_see(cluster, names); }, seconds(20)));
  names.push_back("late");
  cluster.start_node("late");
  ASSERT_TRUE(cluster.run_until([&] { return cluster.sees("late", names); }, seconds(20))) << "by a snapshot";
  cluster.kill("large-c");
  std::erase(names, "large-c");
  EXPECT_TRUE(cluster.run_until([&] { return cluster.sees("late", names); }, seconds(20))) << "by a delta";
}

TEST(SimCluster, NodesFindOneAnotherAndCall) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimCluster cluster(seed);
    start_all(cluster);
    ASSERT_TRUE(cluster.run_until([&] { return all_see(cluster, all); }, seconds(10)));
    Tally tally;
    const NodeId beta = cluster.process("beta").node->id();
    cluster.process("alpha").node->spawn("test.caller", &call_many, beta, 100, &tally);
    cluster.process("gamma").node->spawn("test.caller", &call_many, NodeId::none, 100, &tally);
    ASSERT_TRUE(cluster.run_until([&] { return tally.done() == 200; }, seconds(60)));
    EXPECT_EQ(tally.replied, 200);
  }
}

TEST(SimCluster, AStreamArrivesWholeAndInOrder) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimCluster cluster(seed);
    start_all(cluster);
    ASSERT_TRUE(cluster.run_until([&] { return all_see(cluster, all); }, seconds(10)));
    std::string text;
    for (int i = 1; i <= 1000; ++i) text += i % 2 == 0 ? "hay\n" : "a needle\n";
    std::vector<std::uint64_t> lines;
    Status status(Code::unknown, "not over");
    cluster.process("alpha").node->spawn("test.grep", &grep, cluster.process("beta").node->id(), text, &lines,
                                         &status);
    ASSERT_TRUE(cluster.run_until([&] { return status.code() != Code::unknown; }, seconds(60)));
    EXPECT_TRUE(status.ok()) << status.to_string();
    ASSERT_EQ(lines.size(), 500U);
    for (std::size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i], 2 * i + 1);
  }
}

TEST(SimCluster, CallsToAKilledNodeFailAndTheDirectoryForgetsIt) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimCluster cluster(seed);
    start_all(cluster);
    ASSERT_TRUE(cluster.run_until([&] { return all_see(cluster, all); }, seconds(10)));
    Tally tally;
    const NodeId beta = cluster.process("beta").node->id();
    cluster.process("alpha").node->spawn("test.caller", &call_many, beta, 100, &tally);
    ASSERT_TRUE(cluster.run_until([&] { return tally.replied >= 20; }, seconds(60)));
    cluster.kill("beta");
    ASSERT_TRUE(cluster.run_until([&] { return tally.done() == 100; }, seconds(60)));
    EXPECT_GT(tally.failed[Code::unavailable] + tally.failed[Code::not_found], 0);
    EXPECT_EQ(tally.failed.count(Code::deadline_exceeded), 0U)
        << "a lost node is noticed before the deadline";
    EXPECT_TRUE(cluster.run_until([&] { return all_see(cluster, {"alpha", "gamma"}); }, seconds(10)));
  }
}

TEST(SimCluster, ConnectedNodesGoOnWithoutABrokerAndAnEmptyOneIsCompleteAgain) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimCluster cluster(seed);
    start_all(cluster);
    ASSERT_TRUE(cluster.run_until([&] { return all_see(cluster, all); }, seconds(10)));
    cluster.kill("broker");
    cluster.run_for(seconds(20));
    EXPECT_TRUE(all_see(cluster, all)) << "the last state is kept";
    Tally tally;
    cluster.process("alpha").node->spawn("test.caller", &call_many, cluster.process("gamma").node->id(), 50,
                                         &tally);
    ASSERT_TRUE(cluster.run_until([&] { return tally.done() == 50; }, seconds(60)));
    EXPECT_EQ(tally.replied, 50);
    cluster.start_broker();
    cluster.start_node("delta");
    EXPECT_TRUE(cluster.run_until([&] { return all_see(cluster, {"alpha", "beta", "delta", "gamma"}); },
                                  seconds(15)));
  }
}

TEST(SimCluster, D2_WhatADeadBrokerStillSaidHoldsNobody) {
  using std::chrono::microseconds;
  // The snapshot and the end of the broker reach alpha at one instant, for some of these moments.
  for (microseconds moment(0); moment < microseconds(8000); moment += microseconds(100)) {
    SCOPED_TRACE(moment.count());
    SimCluster cluster(static_cast<std::uint64_t>(moment.count()) + 1);
    cluster.start_broker();
    cluster.start_node("beta");
    ASSERT_TRUE(cluster.run_until([&] { return all_see(cluster, {"beta"}); }, seconds(10)));
    cluster.network().options().latency_min = cluster.network().options().latency_max = microseconds(1000);
    cluster.start_node("alpha");
    cluster.run_for(moment);
    cluster.network().options().latency_min = cluster.network().options().latency_max = microseconds(50);
    cluster.kill("broker");
    cluster.kill("beta");
    cluster.run_for(seconds(1));
    cluster.start_broker();
    EXPECT_TRUE(cluster.run_until([&] { return all_see(cluster, {"alpha"}); }, seconds(15)));
  }
}

TEST(SimCluster, TheSameSeedGivesTheSameRun) {
  const auto run = [](std::uint64_t seed) {
    SimCluster cluster(seed);
    start_all(cluster);
    Tally tally;
    cluster.run_until([&] { return all_see(cluster, all); }, seconds(10));
    cluster.process("alpha").node->spawn("test.caller", &call_many, NodeId::none, 50, &tally);
    cluster.run_for(seconds(5));
    return std::pair(cluster.history(), tally.replied);
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

}  // namespace
}  // namespace cobus::sim
