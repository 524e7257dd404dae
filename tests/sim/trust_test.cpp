// SPDX-License-Identifier: Apache-2.0
//
// Trust over a whole cluster: what is revoked counts everywhere within a second, also where somebody was
// away; certificates are renewed without anybody noticing.
#include <cobus/v1/admin.cobus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "broker/admin_service.hpp"

#include "echo.cobus.h"
#include "tests/sim/seeds.hpp"
#include "tests/sim/sim_cluster.hpp"

namespace cobus::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::vector<std::string> all = {"alpha", "beta", "gamma"};

bool knows(SimCluster& cluster, const std::string& who, const std::string& revoked) {
  return cluster.revocations_of(who)
      .find(cluster.key_of(revoked), cluster.network().clock().unix_us() / 1'000'000)
      .has_value();
}

// Whether a session is up between them, as `name` sees it.
bool in_session(SimCluster& cluster, const std::string& name, NodeId with) {
  return cluster.process(name).node->peer(with).has_value();
}

struct Calls {
  int good = 0;
  std::vector<Status> failed;
};

// One call after another, until one fails or `times` were good.
Task<> call(Self self, NodeId to, int times, milliseconds every, Calls* calls) {
  for (int i = 0; i < times; ++i) {
    echo::EchoRequest request;
    request.set_text("x");
    CallOptions options;
    options.timeout = seconds(10);
    const auto reply = co_await echo::EchoStub(self, to).Echo(std::move(request), options);
    if (!reply) {
      calls->failed.push_back(reply.error());
      co_return;
    }
    ++calls->good;
    if (!(co_await sleep(every)).ok()) co_return;
  }
}

TEST(SimTrust, A5_ARevokedKeyIsRefusedByEveryNodeAndBrokerWithinASecond) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimCluster cluster(seed);
    cluster.use_brokers({"broker", "broker2"});
    cluster.start_broker();
    cluster.start_broker("broker2");
    for (const std::string& name : all) cluster.start_node(name);
    ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see(all); }, seconds(10)));
    const NodeId beta = cluster.process("beta").node->id();
    Calls there;
    Calls back;
    cluster.process("alpha").node->spawn("test.call", &call, beta, 1'000, milliseconds(100), &there);
    cluster.process("beta").node->spawn("test.call", &call, cluster.process("gamma").node->id(), 1'000,
                                        milliseconds(100), &back);
    cluster.run_for(seconds(2));
    ASSERT_TRUE(in_session(cluster, "alpha", beta) && in_session(cluster, "gamma", beta));

    cluster.revoke("broker", "beta");
    cluster.run_for(seconds(1));
    for (const std::string name : {"alpha", "gamma", "broker", "broker2"}) {
      EXPECT_TRUE(knows(cluster, name, "beta")) << name;
      EXPECT_FALSE(in_session(cluster, name, beta)) << name;
    }
    EXPECT_EQ(there.failed.size(), 1U) << "what was under way ended, whoever had dialled";
    EXPECT_EQ(back.failed.size(), 1U);
    EXPECT_TRUE(cluster.run_until([&] { return cluster.all_see({"alpha", "gamma"}); }, seconds(1)));
    cluster.run_for(seconds(30));
    for (const std::string name : {"alpha", "gamma", "broker", "broker2"})
      EXPECT_FALSE(in_session(cluster, name, beta)) << name << ", however often it knocks";
    EXPECT_TRUE(cluster.all_see({"alpha", "gamma"})) << "the others go on";
  }
}

TEST(SimTrust, A5_WhoWasAwayHearsOfWhatWasRevokedMeanwhile) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimCluster cluster(seed);
    cluster.use_brokers({"broker", "broker2"});
    ASSERT_TRUE(cluster.start(all));
    cluster.kill("gamma");  // as is broker2
    cluster.revoke("broker", "beta");
    cluster.run_for(seconds(1));
    cluster.kill("broker");
    cluster.start_broker("broker2");
    const auto broker2_knows = [&] { return knows(cluster, "broker2", "beta"); };
    EXPECT_TRUE(cluster.run_until(broker2_knows, seconds(5))) << "from a node that registers";
    cluster.start_node("gamma");
    EXPECT_TRUE(cluster.run_until([&] { return knows(cluster, "gamma", "beta"); }, seconds(5)))
        << "from a broker";
    cluster.run_for(seconds(5));
    EXPECT_FALSE(in_session(cluster, "broker2", cluster.process("beta").node->id()));
    EXPECT_TRUE(cluster.all_see({"alpha", "gamma"}));
  }
}

TEST(SimTrust, A5_ARestartRefusesAtOnceAndABrokerThatLostItsDiskLearnsAgain) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimCluster cluster(seed);
    ASSERT_TRUE(cluster.start(all));
    cluster.revoke("broker", "beta");
    cluster.run_for(seconds(1));

    cluster.kill("broker");
    cluster.start_broker();
    cluster.run_for(seconds(5));
    const NodeId beta = cluster.process("beta").node->id();
    EXPECT_FALSE(in_session(cluster, "broker", beta)) << "it is on its disk";

    cluster.kill("broker");
    cluster.lose_disk("broker");
    cluster.start_broker();
    ASSERT_TRUE(cluster.run_until([&] { return knows(cluster, "broker", "beta"); }, seconds(5)));
    cluster.run_for(seconds(1));
    EXPECT_FALSE(in_session(cluster, "broker", beta));

    cluster.kill("broker");
    cluster.kill("gamma");
    cluster.start_node("gamma");
    EXPECT_TRUE(knows(cluster, "gamma", "beta")) << "a node has it on its disk too";
  }
}

// Hours in each run, so only some of the seeds.
TEST(SimTrust, A6_CertificatesAreRenewedAndNothingIsLostByIt) {
  for (const std::uint64_t seed : seeds(3)) {
    SCOPED_TRACE(replay(seed));
    SimCluster cluster(seed);
    cluster.use_certificate_life(hours(1));
    ASSERT_TRUE(cluster.start(all));
    Calls calls;
    const NodeId beta = cluster.process("beta").node->id();
    // Many at first, so that some are under way when it happens.
    const milliseconds every(seed == 1 ? 100 : 1'000);
    cluster.process("alpha").node->spawn("test.call", &call, beta, 50'000, every, &calls);
    cluster.run_for(seconds(4 * 1200));
    EXPECT_TRUE(calls.failed.empty()) << calls.failed.front().to_string();
    EXPECT_GT(calls.good, 4'000) << "certificates of an hour, a session of more than that";
    EXPECT_TRUE(cluster.all_see(all));
    EXPECT_EQ(cluster.process("alpha").sessions.with(beta), 1U) << "one session";
    const auto record_has_it = [&] {
      const auto record = cluster.process("alpha").view->find(beta);
      return record &&
             record->certificate().body() == cluster.process("beta").node->links().certificate()->body();
    };
    EXPECT_TRUE(cluster.run_until(record_has_it, seconds(5))) << "the record shows the one that is used";
  }
}

Task<> renew(Self self, NodeId broker, int times, std::vector<Code>* answers) {
  for (int i = 0; i < times; ++i) {
    const auto reply = co_await v1::CertificatesStub(self, broker).Renew({});
    answers->push_back(reply ? Code::ok : reply.error().code());
  }
}

TEST(SimTrust, A6_WhoRenewsAllTheTimeIsRefused) {
  SimCluster cluster(1);
  cluster.use_certificate_life(hours(1));
  ASSERT_TRUE(cluster.start({"alpha", "beta"}));
  const NodeId broker = cluster.process("broker").node->id();
  std::vector<Code> answers;
  const auto ask = [&](const std::string& who, int times) {
    answers.clear();
    cluster.process(who).node->spawn("test.renew", &renew, broker, times, &answers);
    return cluster.run_until([&] { return answers.size() == static_cast<std::size_t>(times); }, seconds(10));
  };
  ASSERT_TRUE(ask("alpha", 100));
  const auto early = std::ranges::count(answers, Code::failed_precondition);
  EXPECT_EQ(early, broker::renewals_per_window) << "before half of the life has passed";
  EXPECT_EQ(std::ranges::count(answers, Code::resource_exhausted), 100 - early) << "and too often";
  ASSERT_TRUE(ask("beta", 1));
  EXPECT_EQ(answers[0], Code::failed_precondition) << "another key is not concerned";
  cluster.run_for(seconds(31 * 60));
  ASSERT_TRUE(ask("alpha", 10));
  EXPECT_EQ(std::ranges::count(answers, Code::ok), 10) << "the same one, ten times";
  EXPECT_TRUE(cluster.all_see({"alpha", "beta"}));
}

TEST(SimTrust, A6_WhoseCertificateHasExpiredIsOut) {
  SimCluster cluster(1);
  cluster.use_certificate_life(hours(1));
  ASSERT_TRUE(cluster.start(all));
  Calls calls;
  const NodeId beta = cluster.process("beta").node->id();
  cluster.process("alpha").node->spawn("test.call", &call, beta, 10'000, seconds(1), &calls);
  cluster.kill("broker");  // nobody renews anything
  cluster.run_for(seconds(3580));
  EXPECT_TRUE(in_session(cluster, "alpha", beta));
  cluster.run_for(seconds(22));
  EXPECT_FALSE(in_session(cluster, "alpha", beta));
  ASSERT_EQ(calls.failed.size(), 1U);
  cluster.run_for(seconds(60));
  EXPECT_FALSE(in_session(cluster, "alpha", beta));
}

}  // namespace
}  // namespace cobus::sim
