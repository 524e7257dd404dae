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

// Twenty calls by the name of the service, each to whoever the resolver chooses among the other nodes.
Task<> call_echo_of_others(Self self, View* view, std::set<NodeId> living, Tally* tally) {
  living.erase(self.node().id());
  const NodeFilter is_other = [living](NodeId node) { return living.contains(node); };
  for (int i = 0; i < 20; ++i) {
    echo::EchoRequest request;
    request.set_text(std::to_string(i));
    CallOptions options;
    options.timeout = seconds(10);
    const Result<NodeId> to = view->choose_among("echo.Echo", is_other);
    if (!to) {
      ++tally->failed[to.error().code()];
    } else if (auto reply = co_await echo::EchoStub(self, *to).Echo(request, options); !reply) {
      ++tally->failed[reply.error().code()];
    } else {
      ++tally->replied;
    }
    if (!(co_await sleep(std::chrono::milliseconds(20))).ok()) co_return;
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

// The only broker is killed and restarted again and again while nodes call one another by the name of a
// service: no call fails, no node leaves any view, and whoever looks first sees every node that lives.
TEST(SimCluster, D6_TheRestartOfTheOnlyBrokerFailsNoCallAndEmptiesNoView) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimCluster cluster(seed);
    start_all(cluster);
    ASSERT_TRUE(cluster.run_until([&] { return all_see(cluster, all); }, seconds(10)));
    Tally tally;
    const auto call_on = [&] {
      std::set<NodeId> living;  // not the one that is killed in each round
      for (const std::string& name : all) living.insert(cluster.process(name).node->id());
      for (const std::string& name : all) {
        Process& process = cluster.process(name);
        process.node->spawn("test.caller", &call_echo_of_others, process.view.get(), living, &tally);
      }
    };
    int missed = 0;
    bool looking = false;
    TimePoint next_look{};
    cluster.after_each_round([&] {
      if (cluster.network().clock().now() >= next_look) {
        next_look = cluster.network().clock().now() + std::chrono::milliseconds(20);
        for (const std::string& name : all) missed += cluster.process(name).view->nodes().size() < 3;
      }
      if (!looking || !cluster.process("late").view->complete()) return;
      looking = false;
      std::size_t seen = 0;
      for (const v1::NodeRecord& record : cluster.process("late").view->nodes())
        seen += record.name() != "late";
      missed += seen != 3;
    });
    int rounds = 0;
    for (; rounds < 5; ++rounds) {
      call_on();
      cluster.kill("broker");
      cluster.run_for(std::chrono::milliseconds(100 + 400 * rounds));
      cluster.start_broker();
      cluster.start_node("late");
      looking = true;
      call_on();
      ASSERT_TRUE(cluster.run_until([&] { return !looking; }, seconds(10)));
      cluster.kill("late");
      cluster.run_for(seconds(rounds < 4 ? 1 : 10));
    }
    EXPECT_TRUE(cluster.run_until([&] { return tally.done() == rounds * 2 * 3 * 20; }, seconds(60)));
    for (const auto& [code, times] : tally.failed)
      ADD_FAILURE() << times << " calls failed with code " << static_cast<int>(code);
    EXPECT_EQ(missed, 0);
    EXPECT_TRUE(all_see(cluster, all));
    for (const std::string& name : all)
      for (const v1::NodeRecord& record : cluster.process(name).view->nodes())
        EXPECT_FALSE(record.unconfirmed()) << name << " of " << record.name();
  }
}

TEST(SimCluster, D6_ANodeThatDiedWithItsBrokerIsForgottenOneLeaseAfterTheNextOneAnswers) {
  SimCluster cluster(1);
  start_all(cluster);
  ASSERT_TRUE(cluster.run_until([&] { return all_see(cluster, all); }, seconds(10)));
  cluster.kill("broker");
  cluster.kill("gamma");
  cluster.run_for(seconds(60));
  EXPECT_TRUE(cluster.sees("alpha", all)) << "no broker answers";
  cluster.start_broker();
  cluster.run_for(seconds(5));
  EXPECT_TRUE(cluster.sees("alpha", all)) << "within one lease";
  EXPECT_TRUE(cluster.process("alpha").view->find_name("gamma")->unconfirmed());
  EXPECT_FALSE(cluster.process("alpha").view->find_name("beta")->unconfirmed());
  cluster.run_for(limits::redial_max + limits::filling_max + limits::lease_ttl);
  EXPECT_TRUE(all_see(cluster, {"alpha", "beta"}));
}

// Handlers that block hold every shard of a node for longer than its lease, also while the broker restarts.
TEST(SimCluster, D3_ANodeWhoseShardsAreAllHeldStaysInTheDirectory) {
  for (const bool restart : {false, true}) {
    SCOPED_TRACE(restart ? "the broker restarts" : "the broker lives on");
    SimCluster cluster(1);
    start_all(cluster);
    ASSERT_TRUE(cluster.run_until([&] { return all_see(cluster, all); }, seconds(10)));
    cluster.hold("alpha", seconds(25));
    cluster.run_for(seconds(2));
    if (restart) {
      cluster.kill("broker");
      cluster.start_broker();
      cluster.run_for(seconds(4));
    }
    int missed = 0;
    cluster.after_each_round([&] {
      for (const std::string name : {"beta", "gamma"}) {
        const auto record = cluster.process(name).view->find_name("alpha");
        missed += !record || record->unconfirmed();
      }
    });
    cluster.run_for(seconds(restart ? 18 : 22));
    EXPECT_EQ(missed, 0);
    cluster.run_for(seconds(10));
    EXPECT_EQ(missed, 0) << "when they are free again";
    EXPECT_EQ(cluster.process("alpha").node->dead_letters().total(), 0U);
    EXPECT_TRUE(all_see(cluster, all));
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
