// SPDX-License-Identifier: Apache-2.0
//
// How Links end trust: keys that are revoked, certificates that run out; and how later ones are shown.
#include <gtest/gtest.h>

#include "tests/unit/node/link/link_world.hpp"

namespace cobus::link {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t for_ever = std::numeric_limits<std::int64_t>::max();

struct LinksTrust : testing::Test {
  LinkNode& add(const std::string& name, std::uint64_t id) {
    return world.add({.name = name, .endpoint = "tcp://10.0.0." + std::to_string(id) + ":7000", .id = id});
  }
  bool meet(const LinkNode& dialler, const LinkNode& other) {
    dialler.know(other);
    dialler.send(other, 1);
    return world.run(seconds(1), [&] { return dialler.sees(other) && other.sees(dialler); });
  }
  LinkWorld world;
};

TEST_F(LinksTrust, A5_ARevokedKeyLosesItsSessionAtOnceWhoeverDialled) {
  world.network.options().closing_may_lose = false;
  for (const bool dialled : {true, false}) {
    LinkNode& judge = add("judge", dialled ? 1 : 3);
    LinkNode& other = add("other", dialled ? 2 : 4);
    ASSERT_TRUE(dialled ? meet(judge, other) : meet(other, judge));
    judge.links->revoke(other.key, for_ever);
    ASSERT_TRUE(world.run(milliseconds(100), [&] { return !judge.sees(other) && !other.sees(judge); }));
    EXPECT_NE(judge.downs.back().second.message().find("was revoked"), std::string::npos);
    EXPECT_NE(other.downs.back().second.message().find("was revoked"), std::string::npos) << "it is told why";
    const std::size_t got = judge.got.size();
    // It does not come back, whoever tries.
    other.know(judge);
    other.send(judge, 2);
    judge.know(other);
    judge.send(other, 2);
    EXPECT_FALSE(world.run(seconds(30), [&] { return judge.sees(other) || other.sees(judge); }));
    EXPECT_EQ(judge.got.size(), got);
  }
}

TEST_F(LinksTrust, A5_OnlyTheRevokedKeyIsRefusedAndOnlyForItsTime) {
  LinkNode& judge = add("judge", 1);
  LinkNode& bad = add("bad", 2);
  LinkNode& good = add("good", 3);
  ASSERT_TRUE(meet(good, judge));
  judge.links->revoke(bad.key, world_start_s + 3600);
  bad.know(judge);
  bad.send(judge, 1);
  EXPECT_FALSE(world.run(seconds(10), [&] { return bad.sees(judge); }));
  EXPECT_TRUE(good.sees(judge));
  world.run(hours(1));
  bad.send(judge, 2);
  EXPECT_TRUE(world.run(seconds(10), [&] { return bad.sees(judge); })) << "its certificates ended meanwhile";
}

TEST_F(LinksTrust, A5_NobodyEnrolsWithARevokedKey) {
  int enrolled = 0;
  const EnrolAtOnce enroller = [&](const v1::Hello& hello, const CurveKey& key) -> Result<v1::Certificate> {
    ++enrolled;
    return certify(world.cluster, hello.name(), v1::NODE, key);
  };
  LinkNode& broker = world.add({.name = "broker",
                                .endpoint = "tcp://10.0.0.1:7700",
                                .id = 1,
                                .role = v1::BROKER,
                                .enroller = enroller});
  LinkNode& newcomer = world.add({.name = "new", .id = 2, .role = v1::ROLE_UNSPECIFIED, .token = "t"});
  broker.links->revoke(newcomer.key, for_ever);
  newcomer.links->add_target({broker.endpoint}, broker.key);
  EXPECT_FALSE(world.run(seconds(10), [&] { return newcomer.sees(broker); }));
  EXPECT_EQ(enrolled, 0);
  EXPECT_EQ(newcomer.target_failures.back().code(), Code::permission_denied);
}

TEST_F(LinksTrust, A6_ASessionEndsWithTheCertificateOfEitherSide) {
  LinkNode& one = add("one", 1);
  LinkNode& other = add("other", 2);
  ASSERT_TRUE(meet(one, other));  // for a day
  world.run(hours(24) - seconds(10));
  ASSERT_TRUE(one.sees(other));
  EXPECT_EQ(one.downs.size(), 0U);
  world.run(seconds(11));
  EXPECT_FALSE(one.sees(other));
  EXPECT_FALSE(other.sees(one));
  EXPECT_NE((one.downs.at(0).second.message() + other.downs.at(0).second.message()).find("has expired"),
            std::string::npos);
  one.send(other, 2);
  EXPECT_FALSE(world.run(seconds(30), [&] { return one.sees(other); })) << "nor does a new one begin";
}

TEST_F(LinksTrust, A6_ALaterCertificateIsShownWithoutLosingTheSession) {
  LinkNode& one = add("one", 1);
  LinkNode& other = add("other", 2);
  ASSERT_TRUE(meet(one, other));
  world.run(hours(20));
  const auto later = [&](const LinkNode& node, const std::string& name) {
    v1::CertificateBody body;
    body.set_name(name);
    body.set_role(v1::NODE);
    body.set_curve_key(node.key.bytes.data(), node.key.bytes.size());
    body.set_not_before(world_start_s);
    body.set_not_after(world_start_s + 2 * 86'400);
    return world.cluster.sign(body);
  };
  one.links->use_certificate(later(one, "one"));
  other.links->use_certificate(later(other, "other"));
  world.run(seconds(1));
  ASSERT_EQ(one.enrolled.size(), 1U) << "whoever keeps it on disk is told";
  EXPECT_EQ(one.links->certificate()->body(), later(one, "one").body());
  one.send(other, 7);
  world.run(hours(10));
  EXPECT_TRUE(one.sees(other) && other.sees(one)) << "beyond the end of the first";
  EXPECT_TRUE(one.downs.empty() && other.downs.empty());
  EXPECT_GT(one.links->counters().resumed + other.links->counters().resumed, 0U);
  ASSERT_EQ(other.got.size(), 2U);
  EXPECT_EQ(other.got.back().number, 7U);
}

TEST_F(LinksTrust, A6_ACertificateThatIsNotBetterIsNotUsed) {
  LinkNode& one = add("one", 1);
  const std::string before = one.links->certificate()->body();
  const ClusterSecret stranger = ClusterSecret::make();
  one.links->use_certificate(certify(stranger, "one", v1::ADMIN, one.key));
  one.links->use_certificate(certify(world.cluster, "one", v1::NODE, make_curve_pair().key));
  one.links->use_certificate(certify(world.cluster, "one", v1::NODE, one.key));  // the same time
  world.run(seconds(1));
  EXPECT_EQ(one.links->certificate()->body(), before);
  EXPECT_TRUE(one.enrolled.empty());
}

// Whoever cannot be dialled, as a client, shows its own by dialling; whoever it dialled is asked by it.
TEST_F(LinksTrust, A6_WhoCannotBeDialledSeesALaterCertificateToo) {
  LinkNode& node = add("node", 1);
  LinkNode& client = world.add({.name = "client", .endpoint = "", .id = 2, .role = v1::SUBMIT});
  ASSERT_TRUE(meet(client, node));
  v1::CertificateBody body;
  for (LinkNode* each : {&node, &client}) {
    body.set_name(each->host);
    body.set_role(each == &node ? v1::NODE : v1::SUBMIT);
    body.set_curve_key(each->key.bytes.data(), each->key.bytes.size());
    body.set_not_after(world_start_s + 2 * 86'400);
    world.run(hours(8));
    each->links->use_certificate(world.cluster.sign(body));
  }
  world.run(hours(10));
  EXPECT_TRUE(node.sees(client) && client.sees(node));
  EXPECT_TRUE(node.downs.empty() && client.downs.empty());
}

}  // namespace
}  // namespace cobus::link
