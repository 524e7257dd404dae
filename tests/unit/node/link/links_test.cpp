// SPDX-License-Identifier: Apache-2.0
//
// Links on a simulated network: what two nodes promise each other, whatever the network does.
#include "node/link/links.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "proto/limits.hpp"
#include "tests/unit/node/link/link_world.hpp"

namespace cobus::link {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct LinksTest : LinkPair {};

TEST_F(LinksTest, CarryTenThousandEnvelopesEachWayInOrder) {
  connect();
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    a.send(b, i);
    b.send(a, i);
    if (i % 100 == 0) world.run(1ms);
  }
  world.run(1s);
  EXPECT_EQ(numbers(b), up_to(10'000));
  EXPECT_EQ(numbers(a), up_to(10'000));
}

TEST_F(LinksTest, TellBothSidesWhoTheOtherIs) {
  connect();
  ASSERT_EQ(b.ups.size(), 1U);
  const PeerInfo& peer = b.ups[0].first;
  EXPECT_EQ(peer.node, a.id);
  EXPECT_EQ(peer.name, "alpha");
  EXPECT_EQ(peer.role, v1::NODE);
  EXPECT_EQ(peer.key, a.key);
  EXPECT_EQ(peer.incarnation, 1U);
  EXPECT_FALSE(peer.build.empty());
  EXPECT_EQ(a.ups.at(0).first.name, "beta");
  ASSERT_EQ(a.links->peers().size(), 1U);
  EXPECT_EQ(a.links->peers()[0].node, b.id);
}

TEST_F(LinksTest, SendManyEnvelopesInFewFrames) {
  connect();
  const std::uint64_t before = a.links->counters().frames_sent;
  for (std::uint64_t i = 0; i < 10'000; ++i) a.send(b, i);
  world.run(100ms);
  EXPECT_EQ(b.got.size(), 10'000U);
  const std::size_t bytes = 10'000 * one_envelope(9'999).size();
  EXPECT_LE(a.links->counters().frames_sent - before, bytes / limits::frame_bytes_target + 2);
}

TEST_F(LinksTest, AnswerAlongTheConnectionOfOneWhoCannotBeDialled) {
  LinkNode& client = world.add({.name = "client", .endpoint = "", .id = 3, .role = v1::SUBMIT});
  client.know(b);
  b.react = [&](const PeerInfo& peer, const EnvelopeView&) { b.links->submit(peer.node, one_envelope(42)); };
  client.send(b, 1);
  EXPECT_TRUE(world.run(1s, [&] { return !client.got.empty(); }));
  EXPECT_EQ(numbers(client), std::vector<std::uint64_t>{42});
}

TEST_F(LinksTest, RefuseAStrangerWithoutACertificate) {
  LinkNode& stranger = world.add({.name = "stranger", .endpoint = "", .id = 3, .role = v1::ROLE_UNSPECIFIED});
  stranger.links->add_target({endpoint_b}, b.key);
  world.run(100ms);
  ASSERT_FALSE(stranger.target_failures.empty());
  EXPECT_EQ(stranger.target_failures[0].code(), Code::unauthenticated);
  EXPECT_THAT(stranger.target_failures[0].message(), HasSubstr("STATE/join/ROLE"));
  EXPECT_TRUE(stranger.ups.empty());
  EXPECT_TRUE(b.ups.empty());
  EXPECT_TRUE(b.got.empty());
  EXPECT_GE(b.links->counters().refused, 1U);
}

TEST_F(LinksTest, RefuseACertificateThatTheClusterDidNotSign) {
  const ClusterSecret forger = ClusterSecret::make();
  LinkNode& forged = world.add({.name = "forged", .endpoint = "", .id = 3, .signer = &forger});
  forged.know(b);
  forged.send(b, 1);
  ASSERT_TRUE(world.run(5s, [&] { return !forged.returned.empty(); }));
  EXPECT_EQ(forged.returned[0].reason.code(), Code::unavailable);
  EXPECT_THAT(forged.returned[0].reason.message(), HasSubstr("certificate"));
  EXPECT_TRUE(b.ups.empty() && b.got.empty());
}

TEST_F(LinksTest, RefuseEachOtherAcrossClusters) {
  const ClusterSecret other = ClusterSecret::make();
  LinkNode& foreign = world.add({.name = "foreign", .endpoint = endpoint_c, .id = 3, .member_of = &other});
  foreign.know(b);
  foreign.send(b, 1);
  a.know(foreign);
  a.send(foreign, 1);
  world.run(6s);
  EXPECT_EQ(foreign.returned.size(), 1U);
  EXPECT_EQ(a.returned.size(), 1U);
  EXPECT_TRUE(foreign.ups.empty() && a.ups.empty() && b.ups.empty());
  EXPECT_TRUE(b.got.empty() && foreign.got.empty());
}

TEST_F(LinksTest, RefuseOneWhoClaimsTheNodeIdOfAnother) {
  connect();
  LinkNode& thief = world.add({.name = "thief", .endpoint = "", .id = 1});  // alpha's
  thief.know(b);
  thief.send(b, 66);
  world.run(6s);
  EXPECT_TRUE(thief.ups.empty());
  EXPECT_THAT(thief.returned.at(0).reason.message(), HasSubstr("belongs to another key"));
  EXPECT_TRUE(b.got.empty() && b.downs.empty());
}

struct EnrolmentTest : testing::Test {
  LinkWorld world;
  LinkNode& broker = world.add(
      {.name = "broker",
       .endpoint = endpoint_a,
       .id = 1,
       .role = v1::BROKER,
       .enroller = [this](const v1::Hello& hello, const CurveKey& key) { return enrol(hello, key); }});
  Result<v1::Certificate> enrol(const v1::Hello& hello, const CurveKey& key) const {
    if (hello.token() != "sesame") return fail(Code::unauthenticated, "the token is not known here");
    return certify(world.cluster, hello.name(), v1::NODE, key);
  }
};

TEST_F(EnrolmentTest, PublishesTheCertificateBeforeItTellsOfIt) {
  LinkNode& newcomer = world.add(
      {.name = "newcomer", .endpoint = endpoint_b, .id = 2, .role = v1::ROLE_UNSPECIFIED, .token = "sesame"});
  std::vector<std::pair<std::string, bool>> seen;
  newcomer.told = [&](std::string_view what) {
    seen.emplace_back(what, newcomer.links->certificate().has_value());
  };
  newcomer.links->add_target({endpoint_a}, broker.key);
  ASSERT_TRUE(world.run(1s, [&] { return newcomer.sees(broker); }));
  EXPECT_EQ(seen, (std::vector<std::pair<std::string, bool>>{{"enrolled", true}, {"up", true}}));
}

TEST_F(EnrolmentTest, TradesATokenForACertificateAndIsUpAtOnce) {
  LinkNode& newcomer = world.add(
      {.name = "newcomer", .endpoint = endpoint_b, .id = 2, .role = v1::ROLE_UNSPECIFIED, .token = "sesame"});
  const TargetId target = newcomer.links->add_target({endpoint_a}, broker.key);
  ASSERT_TRUE(world.run(1s, [&] { return newcomer.sees(broker) && broker.sees(newcomer); }));
  EXPECT_EQ(newcomer.enrolled.size(), 1U);
  EXPECT_EQ(newcomer.ups[0].second, target);
  EXPECT_EQ(broker.ups[0].first.name, "newcomer");
  EXPECT_EQ(broker.ups[0].first.role, v1::NODE);
  // From now on it shows the certificate, also to those who enrol nobody.
  LinkNode& other = world.add({.name = "other", .endpoint = endpoint_c, .id = 3});
  newcomer.know(other);
  newcomer.send(other, 1);
  EXPECT_TRUE(world.run(1s, [&] { return !other.got.empty(); }));
}

// The certificate is written to a disk, which takes its time.
struct SlowEnrolmentTest : testing::Test {
  LinkWorld world;
  std::vector<std::pair<ConnectionId, CurveKey>> asked;
  LinkNode& broker = world.add(
      {.name = "broker",
       .endpoint = endpoint_a,
       .id = 1,
       .role = v1::BROKER,
       .begin_enrolment = [this](const v1::Hello& hello, const CurveKey& of, ConnectionId connection) {
         EXPECT_EQ(hello.token(), "sesame");
         asked.emplace_back(connection, of);
       }});
  LinkNode& newcomer = world.add(
      {.name = "newcomer", .endpoint = endpoint_b, .id = 2, .role = v1::ROLE_UNSPECIFIED, .token = "sesame"});
  const CurveKey key = newcomer.key;
  void SetUp() override {
    newcomer.links->add_target({endpoint_a}, broker.key);
    ASSERT_TRUE(world.run(1s, [&] { return !asked.empty(); }));
  }
  [[nodiscard]] Result<v1::Certificate> certificate() const {
    return certify(world.cluster, "newcomer", v1::NODE, key);
  }
};

TEST_F(SlowEnrolmentTest, OthersAreServedMeanwhile) {
  LinkNode& member = world.add({.name = "member", .endpoint = endpoint_c, .id = 3});
  member.links->add_target({endpoint_a}, broker.key);
  EXPECT_TRUE(world.run(1s, [&] { return member.sees(broker); }));
  world.run(1s);
  EXPECT_FALSE(newcomer.sees(broker));
  ASSERT_EQ(asked.size(), 1U) << "once for each connection";
  EXPECT_EQ(asked[0].second, newcomer.key);
  broker.links->enrolled(asked[0].first, certificate());
  EXPECT_TRUE(world.run(1s, [&] { return newcomer.sees(broker) && broker.sees(newcomer); }));
  EXPECT_EQ(newcomer.enrolled.size(), 1U);
}

TEST_F(SlowEnrolmentTest, AnAnswerThatComesTooLateIsForNobody) {
  world.run(10s);
  EXPECT_FALSE(newcomer.sees(broker));
  EXPECT_GT(asked.size(), 1U) << "it knocks again";
  broker.links->enrolled(asked[0].first, certificate());
  broker.links->enrolled(ConnectionId{12'345}, certificate());
  world.run(100ms);
  EXPECT_FALSE(newcomer.sees(broker));
  EXPECT_TRUE(world.run(20s, [&] {
    broker.links->enrolled(asked.back().first, certificate());
    return newcomer.sees(broker);
  }));
}

TEST_F(SlowEnrolmentTest, ARefusalComesInTheEnrollersWords) {
  broker.links->enrolled(asked[0].first, fail(Code::resource_exhausted, "the record is full"));
  ASSERT_TRUE(world.run(1s, [&] { return !newcomer.target_failures.empty(); }));
  EXPECT_EQ(newcomer.target_failures[0].code(), Code::resource_exhausted);
  EXPECT_THAT(newcomer.target_failures[0].message(), HasSubstr("the record is full"));
}

TEST_F(SlowEnrolmentTest, NobodyIsThereForAnAnswerToOneThatIsGone) {
  world.kill(newcomer);
  world.run(10ms);
  broker.links->enrolled(asked[0].first, certificate());
  world.run(1s);
  EXPECT_TRUE(broker.ups.empty());
}

TEST_F(EnrolmentTest, RefusesAWrongTokenWithTheEnrollersWords) {
  LinkNode& newcomer = world.add(
      {.name = "newcomer", .endpoint = "", .id = 2, .role = v1::ROLE_UNSPECIFIED, .token = "guess"});
  newcomer.links->add_target({endpoint_a}, broker.key);
  world.run(10s);
  ASSERT_GE(newcomer.target_failures.size(), 3U);  // it goes on trying
  EXPECT_EQ(newcomer.target_failures[0].code(), Code::unauthenticated);
  EXPECT_THAT(newcomer.target_failures[0].message(), HasSubstr("the token is not known here"));
  EXPECT_TRUE(newcomer.enrolled.empty() && newcomer.ups.empty() && broker.ups.empty());
}

TEST_F(EnrolmentTest, NeverReachesAnImpostorWithoutTheClusterKey) {
  const ClusterSecret other = ClusterSecret::make();
  LinkNode& newcomer = world.add({.name = "newcomer",
                                  .endpoint = "",
                                  .id = 2,
                                  .role = v1::ROLE_UNSPECIFIED,
                                  .token = "sesame",
                                  .member_of = &other});
  newcomer.links->add_target({endpoint_a}, broker_curve_key(other.key()));
  world.run(100ms);
  EXPECT_EQ(newcomer.target_failures.at(0).code(), Code::unavailable);
  EXPECT_EQ(broker.links->counters().frames_received, 0U);  // so it saw no token
}

TEST_F(EnrolmentTest, TriesTheEndpointsOfATargetInTurnAndForEver) {
  LinkNode& node = world.add({.name = "node", .endpoint = endpoint_b, .id = 2});
  node.links->add_target({"tcp://10.0.0.9:1", endpoint_a}, broker.key);
  ASSERT_TRUE(world.run(1s, [&] { return node.sees(broker); }));
  EXPECT_EQ(node.target_failures.size(), 1U);
  world.network.kill("broker");
  world.run(1min);
  EXPECT_EQ(node.downs.size(), 1U);
  EXPECT_GE(node.target_failures.size(), 60U);
  EXPECT_LE(node.target_failures.size(), 400U);  // two endpoints, and the pauses grow to 1 s on average
}

TEST_F(EnrolmentTest, DoesNotTakeANodeForABroker) {
  LinkNode& node = world.add({.name = "node", .endpoint = endpoint_b, .id = 2});
  LinkNode& other = world.add({.name = "other", .endpoint = "", .id = 3});
  other.links->add_target({endpoint_b}, node.key);
  world.run(100ms);
  EXPECT_EQ(other.target_failures.at(0).code(), Code::permission_denied);
  EXPECT_THAT(other.target_failures[0].message(), HasSubstr("not a broker"));
  EXPECT_TRUE(other.ups.empty());
}

TEST_F(EnrolmentTest, KeepsOneSessionForTwoTargetsThatAreOneBroker) {
  LinkNode& node = world.add({.name = "node", .endpoint = endpoint_b, .id = 2});
  node.links->add_target({endpoint_a}, broker.key);
  node.links->add_target({endpoint_a}, broker.key);
  world.run(1min);
  EXPECT_EQ(node.ups.size(), 1U);
  EXPECT_EQ(broker.ups.size(), 1U);
  EXPECT_TRUE(node.downs.empty() && broker.downs.empty());
  EXPECT_EQ(world.network.connections(), 1U);
}

TEST_F(EnrolmentTest, DoesNotDialItself) {
  broker.links->add_target({endpoint_a}, broker.key);
  world.run(1s);
  EXPECT_TRUE(broker.ups.empty());
  EXPECT_THAT(broker.target_failures.at(0).message(), HasSubstr("itself"));
}

TEST(Links, KeepOneSessionAndLoseNothingWhenBothDialAtOnce) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    LinkWorld world(seed, {.latency_min = 1us, .latency_max = 3ms});
    LinkNode& a = world.add({.name = "alpha", .endpoint = endpoint_a, .id = seed % 2 == 0 ? 1U : 9U});
    LinkNode& b = world.add({.name = "beta", .endpoint = endpoint_b, .id = 5});
    a.know(b);
    b.know(a);
    for (std::uint64_t i = 0; i < 100; ++i) {
      if (i >= seed % 7) a.send(b, i - seed % 7);
      b.send(a, i);
      world.run(Duration(static_cast<Duration::rep>(world.network.random().below(200'000))));
    }
    world.run(3s);
    ASSERT_EQ(numbers(a), up_to(100)) << "seed " << seed;
    ASSERT_EQ(numbers(b), up_to(100 - seed % 7)) << "seed " << seed;
    ASSERT_EQ(a.ups.size() + b.ups.size(), 2U) << "seed " << seed;
    ASSERT_EQ(a.downs.size() + b.downs.size() + a.returned.size() + b.returned.size(), 0U) << "seed " << seed;
    ASSERT_EQ(world.network.connections(), 1U) << "seed " << seed;
  }
}

TEST(Links, ConnectWhenOnlyTheLargerNodeIdCanDial) {
  LinkWorld world;
  LinkNode& small = world.add({.name = "small", .endpoint = endpoint_a, .id = 1});
  LinkNode& large = world.add({.name = "large", .endpoint = "", .id = 2});
  small.links->learn(large.id, {"tcp://10.0.0.9:9"}, large.key);  // where nobody is
  large.know(small);
  small.send(large, 1);
  large.send(small, 2);
  EXPECT_TRUE(world.run(3s, [&] { return !small.got.empty(); }));
}

TEST(Links, ConnectWhenTheDialOfTheSmallerNodeIdIsNeverAnswered) {
  LinkWorld world;
  LinkNode& small = world.add({.name = "small", .endpoint = endpoint_a, .id = 1});
  LinkNode& large = world.add({.name = "large", .endpoint = "", .id = 2});
  LinkNode& far = world.add({.name = "far", .endpoint = endpoint_c, .id = 3});
  world.network.cut("small", "far");
  small.links->learn(large.id, {far.endpoint}, far.key);
  large.know(small);
  small.send(large, 1);
  world.run(100ms);
  large.send(small, 2);
  small.links->learn(large.id, {far.endpoint}, large.key);
  EXPECT_TRUE(world.run(2s, [&] { return !small.got.empty(); }));
  EXPECT_EQ(numbers(large), std::vector<std::uint64_t>{1});
}

TEST_F(LinksTest, ReportALostPeerOnceAndReachItsSuccessorAtTheSameEndpoint) {
  connect();
  const NodeId before = b.id;
  world.kill(b);
  ASSERT_TRUE(world.run(1s, [&] { return !a.downs.empty(); }));
  EXPECT_EQ(a.downs[0].second.code(), Code::unavailable);
  LinkNode& again = world.add({.name = "beta", .endpoint = endpoint_b, .id = 22});
  a.links->forget(before);
  a.know(again);
  a.send(again, 7);
  EXPECT_TRUE(world.run(5s, [&] { return !again.got.empty(); }));
  EXPECT_EQ(a.downs.size(), 1U);
  EXPECT_EQ(a.ups.back().first.node, NodeId{22});
}

// Whatever a callback starts on another thread reads the state at once.
TEST_F(LinksTest, PublishASessionBeforeTheyTellOfIt) {
  std::vector<std::pair<std::string, bool>> seen;
  a.told = [&, other = b.id](std::string_view what) {
    seen.emplace_back(what, a.links->peer(other).has_value() && a.links->peers().size() == 1);
  };
  connect();
  world.kill(b);
  ASSERT_TRUE(world.run(1s, [&] { return !a.downs.empty(); }));
  EXPECT_EQ(seen,
            (std::vector<std::pair<std::string, bool>>{{"up", true}, {"closing", false}, {"down", false}}));
  a.told = nullptr;
}

TEST_F(LinksTest, TellOfALossBeforeTheyTellWhatWasLostByIt) {
  connect();
  world.network.cut("alpha", "beta");
  a.send(b, 1);
  world.run(10ms);  // sent, and not acknowledged
  std::vector<std::string> seen;
  a.told = [&](std::string_view what) { seen.emplace_back(what); };
  ASSERT_TRUE(world.run(10s, [&] { return !a.downs.empty(); }));
  EXPECT_EQ(seen, (std::vector<std::string>{"closing", "unacknowledged", "down"}));
  a.told = nullptr;
}

TEST_F(LinksTest, DoNotTakeAnotherNodeForTheOneTheyDialled) {
  a.links->learn(NodeId{77}, {endpoint_b}, b.key);  // a stale record: another life lives there now
  a.links->submit(NodeId{77}, one_envelope(1));
  ASSERT_TRUE(world.run(6s, [&] { return !a.returned.empty(); }));
  EXPECT_THAT(a.returned[0].reason.message(), HasSubstr("lives there now"));
  EXPECT_TRUE(a.ups.empty());
  EXPECT_TRUE(b.got.empty());
}

TEST_F(LinksTest, TakeASilentPeerForDownAfterFiveSeconds) {
  connect();
  const TimePoint before = world.network.clock().now();
  world.network.cut("alpha", "beta");
  ASSERT_TRUE(world.run(10s, [&] { return !a.downs.empty(); }));
  const Duration took = world.network.clock().now() - before;
  EXPECT_GE(took, limits::down_after - limits::beat_interval);
  EXPECT_LE(took, limits::down_after + 100ms);
  EXPECT_EQ(a.downs[0].second.code(), Code::unavailable);
  EXPECT_THAT(a.downs[0].second.message(), HasSubstr("no sign of life for 5 s"));
  world.network.heal_all();
  EXPECT_TRUE(world.run(2 * limits::redial_max, [&] { return a.sees(b) && b.sees(a); }));
}

TEST_F(LinksTest, KeepAnIdleLinkUpForAnHour) {
  connect();
  world.run(1h);
  EXPECT_TRUE(a.downs.empty() && b.downs.empty());
  EXPECT_EQ(a.ups.size(), 1U);
  const Links::Counters counters = a.links->counters();
  EXPECT_NEAR(static_cast<double>(counters.frames_sent), 3600, 100);  // a beat a second, no more
}

TEST_F(LinksTest, ForgiveTheirPeersWhenTheyThemselvesWereStopped) {
  connect();
  world.network.clock().advance(30s);  // nobody polled: the machine slept
  world.run(10s);
  EXPECT_TRUE(a.downs.empty() && b.downs.empty());
}

TEST_F(LinksTest, AnswerThatAPeerIsFullWhenItTakesNothing) {
  connect();
  world.network.cut("alpha", "beta");
  const std::string payload(100'000, 'x');
  for (std::uint64_t i = 0; i < 200; ++i) {
    a.links->submit(b.id, one_envelope(i, payload));
    world.run(1ms);
  }
  ASSERT_FALSE(a.returned.empty());
  EXPECT_EQ(a.returned[0].reason.code(), Code::resource_exhausted);
  EXPECT_THAT(a.returned[0].reason.message(), HasSubstr("beta"));
  const std::size_t refused = a.returned.size();
  EXPECT_GE((200 - refused) * payload.size(), limits::peer_window_bytes_max - 2 * payload.size());
  world.network.heal_all();
  world.run(1s);
  EXPECT_EQ(numbers(b), up_to(200 - refused));  // what was taken arrives, in order
  EXPECT_TRUE(a.downs.empty());
}

TEST_F(LinksTest, AnswerAtOnceThatANodeIsUnknown) {
  a.send(b, 1);
  a.links->poll(Duration(0));
  ASSERT_EQ(a.returned.size(), 1U);
  EXPECT_EQ(a.returned[0].reason.code(), Code::not_found);
  EXPECT_EQ(a.returned[0].node, b.id);
  EXPECT_EQ(a.returned[0].chunk, one_envelope(1));
}

TEST_F(LinksTest, ReturnWhatWaitsForANodeThatRefusesConnections) {
  a.know(b);
  world.network.kill("beta");
  a.send(b, 1);
  ASSERT_TRUE(world.run(1s, [&] { return !a.returned.empty(); }));
  EXPECT_EQ(a.returned[0].reason.code(), Code::unavailable);
  EXPECT_THAT(a.returned[0].reason.message(), HasSubstr(endpoint_b));
}

TEST_F(LinksTest, DoNotGoOnDiallingANodeThatTheyNeverReached) {
  a.know(b);
  world.network.kill("beta");
  a.send(b, 1);
  world.run(5s);
  EXPECT_EQ(a.returned.size(), 1U);
  EXPECT_EQ(a.links->next_due(), never);
  a.send(b, 2);  // but tries again for each new reason
  world.run(5s);
  EXPECT_EQ(a.returned.size(), 2U);
}

TEST_F(LinksTest, TakeMoreThanAWindowAtOnceForAPeerThatKeepsUp) {
  connect();
  world.network.options().in_flight_bytes_max = 4 * limits::peer_window_bytes_max;
  const std::string payload(limits::frame_bytes_target, 'x');
  const std::size_t count = 2 * limits::peer_window_bytes_max / payload.size() - 10;
  for (std::uint64_t i = 0; i < count; ++i) a.links->submit(b.id, one_envelope(i, payload));
  world.run(1s);
  EXPECT_TRUE(a.returned.empty());
  EXPECT_EQ(numbers(b), up_to(count));
}

TEST_F(LinksTest, ReturnWhatWaitsForANodeThatDoesNotAnswerInTime) {
  a.know(b);
  world.network.cut("alpha", "beta");
  const TimePoint before = world.network.clock().now();
  a.send(b, 1);
  ASSERT_TRUE(world.run(10s, [&] { return !a.returned.empty(); }));
  EXPECT_GE(world.network.clock().now() - before, limits::down_after);
  EXPECT_LE(world.network.clock().now() - before, limits::down_after + 100ms);
}

TEST_F(LinksTest, ReturnWhatWaitsForANodeThatIsForgotten) {
  a.know(b);
  world.network.cut("alpha", "beta");
  a.send(b, 1);
  world.run(1s);
  a.links->forget(b.id);
  world.run(10ms);
  ASSERT_EQ(a.returned.size(), 1U);
  EXPECT_EQ(a.returned[0].reason.code(), Code::unavailable);
  EXPECT_EQ(world.network.connections(), 0U);
}

TEST_F(LinksTest, RefuseAChunkThatFitsIntoNoFrame) {
  connect();
  a.links->submit(b.id, one_envelope(1, std::string(limits::frame_bytes_max, 'x')));
  a.links->submit(b.id, one_envelope(2, std::string(limits::payload_bytes_max, 'x')));
  world.run(1s);
  ASSERT_EQ(a.returned.size(), 1U);
  EXPECT_EQ(a.returned[0].reason.code(), Code::invalid_argument);
  EXPECT_EQ(numbers(b), std::vector<std::uint64_t>{2});
}

TEST_F(LinksTest, SayGoodbyeWhenShutAfterSendingWhatWaits) {
  connect();
  a.send(b, 5);
  a.links->shut(world.network.clock().now() + 1s);
  EXPECT_EQ(a.downs.size(), 1U);
  EXPECT_TRUE(a.links->peers().empty());
  EXPECT_TRUE(a.returned.empty());
  a.send(b, 6);
  world.run(10s);
  EXPECT_EQ(b.downs.size(), 1U);
  EXPECT_EQ(a.ups.size(), 1U);
  EXPECT_EQ(a.returned.size(), 1U);
}

TEST_F(LinksTest, LeaveThePollToTheOneWhoIsInside) {
  bool ran = true;
  connect();
  b.react = [&](const PeerInfo&, const EnvelopeView&) {
    std::thread([&] { ran = b.links->poll(Duration(0), true); }).join();
  };
  a.send(b, 1);
  world.run(1s);
  EXPECT_FALSE(ran);
  EXPECT_TRUE(b.links->poll(Duration(0), true));
}

}  // namespace
}  // namespace cobus::link
