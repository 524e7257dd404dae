// SPDX-License-Identifier: Apache-2.0
//
// Sessions on a simulated network: they outlive their connections, lose and repeat nothing, and end when they
// should.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "node/link/links.hpp"
#include "proto/limits.hpp"
#include "tests/unit/node/link/link_world.hpp"

namespace cobus::link {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

struct LinkSessions : LinkPair {
  void expect_one_session() const {
    EXPECT_EQ(a.ups.size() + b.ups.size(), 2U);
    EXPECT_TRUE(a.downs.empty() && b.downs.empty());
    EXPECT_TRUE(a.returned.empty() && b.returned.empty());
  }
};

TEST_F(LinkSessions, M2_LoseAndRepeatNothingWhenTheConnectionBreaks) {
  connect();
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    a.send(b, i);
    b.send(a, i);
    if (i % 100 == 50) world.network.break_connections("alpha", "beta");
    if (i % 10 == 0) world.run(10ms);
  }
  world.run(5s);
  EXPECT_EQ(numbers(b), up_to(1'000));
  EXPECT_EQ(numbers(a), up_to(1'000));
  expect_one_session();
  EXPECT_GE(a.links->counters().resumed, 5U);
  EXPECT_EQ(world.network.connections(), 1U);
}

TEST_F(LinkSessions, M2_GoOnWhicheverSideHasNotSeenTheEndOfTheConnection) {
  connect();
  b.know(a);
  std::uint64_t sent = 0;
  for (const auto& [sees, sees_not] : {std::pair("alpha", "beta"), std::pair("beta", "alpha")}) {
    world.network.break_half(sees, sees_not);
    for (int i = 0; i < 10; ++i, ++sent) {
      a.send(b, sent);
      b.send(a, sent);
    }
    EXPECT_TRUE(world.run(1s, [&] { return a.got.size() == sent && b.got.size() == sent; }));
  }
  EXPECT_EQ(numbers(b), up_to(20));
  EXPECT_EQ(numbers(a), up_to(20));
  expect_one_session();
  EXPECT_EQ(world.network.connections(), 1U);
}

// The directory of a broker that has just started knows nobody.
TEST_F(LinkSessions, D6_KeepASessionThatLivesWhenTheDirectoryForgetsThePeer) {
  connect();
  world.network.break_connections("alpha", "beta");
  world.network.cut("alpha", "beta");
  world.run(300ms);
  a.send(b, 0);
  a.links->forget(b.id);
  b.links->forget(a.id);
  world.run(300ms);
  EXPECT_TRUE(a.downs.empty() && b.downs.empty());
  world.network.heal_all();
  EXPECT_TRUE(world.run(3s, [&] { return !b.got.empty(); }));
  expect_one_session();
  // Its own end ends it, and nobody dials any more.
  world.kill(b);
  ASSERT_TRUE(world.run(10s, [&] { return !a.downs.empty(); }));
  a.links->submit(NodeId{2}, one_envelope(9));
  world.run(10ms);
  ASSERT_FALSE(a.returned.empty());
  EXPECT_EQ(a.returned.back().reason.code(), Code::not_found);
}

// A firewall between them forgot the connection: after three seconds without a word they dial anew.
TEST_F(LinkSessions, M2_FindAnotherConnectionForOneThatCarriesNothing) {
  connect();
  world.network.forget_connections("alpha", "beta");
  a.send(b, 0);
  b.send(a, 0);
  EXPECT_TRUE(world.run(limits::down_after - 1ms, [&] { return !a.got.empty() && !b.got.empty(); }));
  world.run(1s);
  expect_one_session();
  EXPECT_EQ(world.network.connections(), 1U);
}

TEST_F(LinkSessions, KeepTheConnectionThatWasOnlySlow) {
  connect();
  world.network.cut("alpha", "beta");
  world.run(limits::suspect_after + 500ms);
  world.network.heal_all();
  a.send(b, 0);
  EXPECT_TRUE(world.run(1s, [&] { return !b.got.empty(); }));
  world.run(10s);
  expect_one_session();
  EXPECT_EQ(world.network.connections(), 1U);
}

TEST_F(LinkSessions, M2_TakeBackOneWhoCannotBeDialled) {
  LinkNode& client = world.add({.name = "client", .endpoint = "", .id = 3, .role = v1::SUBMIT});
  client.know(b);
  client.send(b, 0);
  world.run(1s);
  world.network.break_connections("client", "beta");
  client.send(b, 1);
  b.send(client, 7);
  world.run(limits::return_within);
  EXPECT_EQ(numbers(b), up_to(2));
  EXPECT_EQ(numbers(client), std::vector<std::uint64_t>{7});
  EXPECT_THAT(b.downs, IsEmpty());
  world.kill(client);
  EXPECT_TRUE(world.run(1s, [&] { return !b.downs.empty(); }));
  EXPECT_THAT(b.downs.at(0).second.message(), HasSubstr("did not come back"));
}

// Alpha dials an address, and learns only by the answer that it has a session with who lives there.
TEST_F(LinkSessions, M2_GoOnWithWhoTurnsOutToLiveAtATarget) {
  LinkNode& broker = world.add({.name = "broker", .endpoint = endpoint_c, .id = 3, .role = v1::BROKER});
  broker.know(a);
  broker.send(a, 0);
  ASSERT_TRUE(world.run(1s, [&] { return a.got.size() == 1; }));
  world.network.break_half("alpha", "broker");
  world.run(1ms);
  broker.send(a, 1);
  a.links->add_target({endpoint_c}, broker.key);
  EXPECT_TRUE(world.run(2s, [&] { return a.got.size() == 2; }));
  EXPECT_EQ(numbers(a), up_to(2));
  EXPECT_TRUE(a.downs.empty() && broker.downs.empty());
}

TEST_F(LinkSessions, EndWhenThePeerDoesNotComeBackAndTellWhatMayHaveArrived) {
  connect();
  a.send(b, 1);
  world.poll();  // it is on its way
  world.network.break_connections("alpha", "beta");
  // Both have heard of it, and alpha has not dialled yet.
  ASSERT_TRUE(world.run(
      5ms, [&] { return world.network.connections() == 0 && world.network.next_event() == never; }));
  world.network.cut("alpha", "beta");
  world.run(2s);
  a.send(b, 2);
  const TimePoint before = world.network.clock().now();
  ASSERT_TRUE(world.run(10s, [&] { return !a.downs.empty(); }));
  EXPECT_LE(world.network.clock().now() - before, limits::down_after - 1s);
  ASSERT_EQ(a.unacknowledged.size(), 1U);
  EXPECT_EQ(a.unacknowledged[0].chunk, one_envelope(1));
  EXPECT_EQ(a.links->counters().unacknowledged, 1U);
  ASSERT_EQ(a.returned.size(), 1U);
  EXPECT_EQ(a.returned[0].chunk, one_envelope(2));
  EXPECT_EQ(a.returned[0].reason.code(), Code::unavailable);
  EXPECT_TRUE(world.run(10s, [&] { return b.downs.size() == 1; }));
  world.network.heal_all();
  EXPECT_TRUE(world.run(2 * limits::redial_max, [&] { return a.sees(b) && b.sees(a); }));
  EXPECT_EQ(a.ups.size(), 2U);
  EXPECT_TRUE(b.got.empty());
}

TEST_F(LinkSessions, EndWhenOnlyOneSideTookItForOver) {
  connect();
  // Beta hears nothing for so long that it gives up; alpha, which was stopped, knows nothing of it.
  world.network.freeze("alpha", world.network.clock().now() + 8s);
  const auto step = [&](Duration span) {
    const TimePoint end = world.network.clock().now() + span;
    while (world.network.clock().now() < end) {
      b.links->poll(Duration(0));
      world.network.clock().advance(10ms);
    }
  };
  step(8s);
  ASSERT_EQ(b.downs.size(), 1U);
  a.send(b, 1);
  EXPECT_TRUE(world.run(3s, [&] { return a.ups.size() == 2 && b.ups.size() == 2; }));
  EXPECT_EQ(a.downs.size(), 1U);
  a.send(b, 2);
  EXPECT_TRUE(world.run(1s, [&] { return !b.got.empty() && b.got.back().number == 2; }));
}

TEST_F(LinkSessions, M5_EndWithWhoHasMoreHereThanItMay) {
  connect();
  b.at_frame_end = Status(Code::resource_exhausted, "too much of it is held");
  a.send(b, 1);
  EXPECT_TRUE(world.run(2s, [&] { return !a.downs.empty() && !b.downs.empty(); }));
  b.at_frame_end = {};
  a.send(b, 2);
  EXPECT_TRUE(world.run(2s, [&] { return !b.got.empty() && b.got.back().number == 2; }));
}

TEST_F(LinkSessions, EndAtOnceWhenAnotherLifeAnswers) {
  LinkNode& broker = world.add({.name = "broker", .endpoint = endpoint_c, .id = 3, .role = v1::BROKER});
  a.links->add_target({endpoint_c}, broker.key);
  ASSERT_TRUE(world.run(1s, [&] { return a.sees(broker); }));
  world.kill(broker);
  LinkNode& again = world.add({.name = "broker", .endpoint = endpoint_c, .id = 33, .role = v1::BROKER});
  EXPECT_TRUE(world.run(1s, [&] { return a.sees(again); }));
  ASSERT_EQ(a.downs.size(), 1U);
  EXPECT_EQ(a.downs[0].first.node, NodeId{3});
}

TEST_F(LinkSessions, EndAtOnceWhenTheOtherSideStops) {
  world.network.options().closing_may_lose = false;
  connect();
  for (std::uint64_t i = 0; i < 100; ++i) a.send(b, i);
  a.links->shut(world.network.clock().now() + 1s);
  EXPECT_TRUE(world.run(1s, [&] { return !b.downs.empty(); }));
  EXPECT_EQ(numbers(b), up_to(100));
  EXPECT_EQ(b.downs.size(), 1U);
  EXPECT_TRUE(a.returned.empty());
}

// One of eight takes nothing, and is sent as much as the others: these get all of it, as soon as without it.
TEST(LinksToMany, M6_APeerThatTakesNothingSlowsOnlyItsOwnTraffic) {
  const auto run = [](bool one_is_cut) {
    LinkWorld world(5);
    LinkNode& sender = world.add({.name = "sender", .endpoint = endpoint_a, .id = 1});
    std::vector<LinkNode*> readers;
    std::vector<Duration> latencies;
    std::vector<TimePoint> sent_at;
    for (std::uint64_t i = 0; i < 8; ++i) {
      LinkNode& reader = world.add({.name = "reader-" + std::to_string(i), .endpoint = "", .id = 10 + i});
      reader.know(sender);
      reader.send(sender, 0);
      readers.push_back(&reader);
    }
    EXPECT_TRUE(world.run(1s, [&] { return sender.connected.size() == 8; }));
    for (std::size_t i = 1; i < readers.size(); ++i) {
      readers[i]->react = [&](const PeerInfo&, const EnvelopeView& envelope) {
        latencies.push_back(world.network.clock().now() - sent_at[envelope.header.call]);
      };
    }
    if (one_is_cut) world.network.cut("sender", "reader-0");
    const std::string payload(20'000, 'x');
    for (std::uint64_t round = 0; round < 1'000; ++round) {
      sent_at.push_back(world.network.clock().now());
      for (LinkNode* reader : readers) sender.links->submit(reader->id, one_envelope(round, payload));
      world.run(1ms);
    }
    world.run(200ms);
    EXPECT_EQ(latencies.size(), 7'000U);
    EXPECT_EQ(one_is_cut, !sender.returned.empty());
    for (const LinkNode::Returned& returned : sender.returned) EXPECT_EQ(returned.node, readers[0]->id);
    std::ranges::sort(latencies);
    return latencies[latencies.size() * 99 / 100];
  };
  EXPECT_LT(run(true), 2 * run(false));
}

// A sender that has not heard yet of the end of a session speaks to the one before.
TEST_F(LinkSessions, TakeNothingFromOneSessionIntoTheNext) {
  connect();
  world.network.cut("alpha", "beta");
  ASSERT_TRUE(world.run(10s, [&] { return !a.downs.empty() && !b.downs.empty(); }));
  world.network.heal_all();
  ASSERT_TRUE(world.run(10s, [&] { return a.sees(b) && b.sees(a); }));
  a.links->submit(b.id, one_envelope(1), 0);
  a.links->submit(b.id, one_envelope(2), 1);
  world.run(1s);
  EXPECT_EQ(numbers(b), std::vector<std::uint64_t>{2});
  ASSERT_EQ(a.returned.size(), 1U);
  EXPECT_EQ(a.returned[0].chunk, one_envelope(1));
  EXPECT_EQ(a.returned[0].reason.code(), Code::unavailable);
}

TEST_F(LinkSessions, M5_HoldNoMoreThanTheWindowAndGoOnWhenItIsAcknowledged) {
  connect();
  world.network.options().in_flight_bytes_max = 64 * limits::peer_window_bytes_max;
  const std::string payload(limits::frame_bytes_target, 'x');
  std::uint64_t sent = 0;
  for (int round = 0; round < 30; ++round) {
    const std::uint64_t before = a.links->counters().bytes_sent;
    for (int i = 0; i < 100; ++i) a.links->submit(b.id, one_envelope(sent++, payload));
    a.links->poll(Duration(0));
    EXPECT_LE(a.links->counters().bytes_sent - before,
              limits::peer_window_bytes_max + limits::frame_bytes_max);
    world.run(5ms);
  }
  EXPECT_EQ(numbers(b), up_to(sent));
  EXPECT_TRUE(a.returned.empty());
  // A few acknowledgements of their own, no more.
  EXPECT_LE(b.links->counters().frames_sent, 2 * sent * payload.size() / limits::acknowledge_bytes + 30);
}

TEST_F(LinkSessions, TellWhenThereIsRoomForAPeerAgain) {
  connect();
  const std::shared_ptr<Backlog> backlog = a.links->backlog(b.id);
  EXPECT_TRUE(backlog->open_or_tell());
  world.network.cut("alpha", "beta");
  const std::string payload(100'000, 'x');
  std::uint64_t sent = 0;
  while (backlog->open_or_tell()) {
    a.links->submit(b.id, one_envelope(sent++, payload));
    if (sent % 10 == 0) world.run(1ms);
    ASSERT_LE(sent, 1'000U);
  }
  EXPECT_LE(backlog->waiting(), limits::peer_waiting_bytes_max);
  world.run(100ms);
  EXPECT_TRUE(a.drained.empty());
  EXPECT_FALSE(backlog->open());
  world.network.heal_all();
  EXPECT_TRUE(world.run(1s, [&] { return !a.drained.empty(); }));
  ASSERT_EQ(a.drained.size(), 1U);
  EXPECT_EQ(a.drained[0], std::pair(b.id, Code::ok));
  EXPECT_TRUE(backlog->open());
  world.run(1s);
  EXPECT_EQ(numbers(b), up_to(sent));
  EXPECT_EQ(backlog->waiting(), 0U);
  EXPECT_EQ(a.drained.size(), 1U);
  expect_one_session();
}

TEST_F(LinkSessions, TellThatThereIsRoomWhenWhatWaitedIsReturned) {
  a.know(b);
  world.network.cut("alpha", "beta");
  const std::shared_ptr<Backlog> backlog = a.links->backlog(b.id);
  while (backlog->open_or_tell()) a.links->submit(b.id, one_envelope(0, std::string(500'000, 'x')));
  ASSERT_TRUE(world.run(10s, [&] { return !a.drained.empty(); }));
  EXPECT_EQ(a.drained[0], std::pair(b.id, Code::unavailable));
  EXPECT_FALSE(a.returned.empty());
  EXPECT_TRUE(backlog->open());
  EXPECT_EQ(backlog->waiting(), 0U);
}

class SessionsUnderRandomBreaks : public testing::TestWithParam<std::uint64_t> {};

// Whatever happens to connections, as long as both sides can speak to each other again in time.
TEST_P(SessionsUnderRandomBreaks, M2_LoseAndRepeatNothingAndNeverEnd) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  LinkWorld world(GetParam());
  Random& random = world.network.random();
  std::vector<LinkNode*> nodes;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    nodes.push_back(&world.add({.name = "node-" + std::to_string(i),
                                .endpoint = "tcp://10.0.0." + std::to_string(i) + ":7000",
                                .id = i}));
  }
  for (LinkNode* from : nodes) {
    for (LinkNode* to : nodes) {
      if (from != to) from->know(*to);
    }
  }
  std::map<std::pair<LinkNode*, LinkNode*>, std::uint64_t> sent;
  const auto say = [&](std::uint64_t most) {
    for (LinkNode* from : nodes) {
      for (LinkNode* to : nodes) {
        if (from == to) continue;
        for (std::uint64_t count = random.below(most); count > 0; --count)
          from->send(*to, sent[{from, to}]++);
      }
    }
  };
  for (LinkNode* from : nodes) {
    for (LinkNode* to : nodes) {
      if (from < to) from->send(*to, sent[{from, to}]++);
    }
  }
  world.run(1s);
  for (int round = 0; round < 40; ++round) {
    say(20);
    const std::string one = nodes[random.below(3)]->host;
    const std::string other = nodes[random.below(3)]->host;
    switch (random.below(5)) {
      case 0:
        world.network.break_connections(one, other);
        break;
      case 1:
        world.network.break_half(one, other);
        break;
      case 2:
        world.network.cut(one, other);
        break;
      case 3:
        world.network.forget_connections(one, other);
        break;
      default:
        world.network.options().break_one_in = 30;
    }
    world.run(random.jitter(200ms));
    say(5);
    world.network.heal_all();
    world.network.options().break_one_in = 0;
    // Time to find each other again, as the down time allows.
    world.run(random.below(3) == 0 ? random.jitter(200ms) : limits::down_after);
    for (LinkNode* node : nodes)
      ASSERT_THAT(node->downs, IsEmpty()) << "round " << round << ": " << node->downs[0].second.to_string();
    if (random.below(3) != 0) world.run(limits::down_after);
  }
  world.run(2 * limits::down_after);
  for (LinkNode* to : nodes) {
    EXPECT_THAT(to->returned, IsEmpty());
    for (LinkNode* from : nodes) {
      std::vector<std::uint64_t> got;
      for (const LinkNode::Got& each : to->got) {
        if (each.from == from->id) got.push_back(each.number);
      }
      EXPECT_EQ(got, up_to(sent[{from, to}])) << to_string(from->id) << " to " << to_string(to->id);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SessionsUnderRandomBreaks, testing::Range<std::uint64_t>(0, 200));

class SessionsBornUnderRandomBreaks : public testing::TestWithParam<std::uint64_t> {};

// Connections break between any two frames of the handshake, so each side may have a session that the other
// one has never heard of.
TEST_P(SessionsBornUnderRandomBreaks, M2_LoseAndRepeatNothingAndNeverEnd) {
  LinkWorld world(GetParam());
  Random& random = world.network.random();
  world.network.options().latency_min = 1ms;
  world.network.options().latency_max = 4ms;
  const bool both_dial = random.below(3) != 0;
  const bool is_target = random.below(3) == 0;
  const bool from_smaller = random.below(2) == 0;
  SCOPED_TRACE(fmt::format("seed {}, {}{}{}", GetParam(), both_dial ? "both dial" : "one dials",
                           is_target ? ", a target" : "", from_smaller ? "" : ", from the larger id"));
  LinkNode& a =
      world.add({.name = "alpha", .endpoint = both_dial ? endpoint_a : "", .id = from_smaller ? 1U : 3U});
  LinkNode& b =
      world.add({.name = "beta", .endpoint = endpoint_b, .id = 2, .role = is_target ? v1::BROKER : v1::NODE});
  std::uint64_t from_a = 0;
  std::uint64_t from_b = 0;
  if (is_target) a.links->add_target({endpoint_b}, b.key);
  const bool knows_only_target = is_target && random.below(2) == 0;
  if (!knows_only_target) {
    a.know(b);
    a.send(b, from_a++);
  }
  if (both_dial) {
    b.know(a);
    b.send(a, from_b++);
  }
  // Who cannot be dialled, for all that the other side knows, has to be back soon.
  const bool has_time = both_dial && !knows_only_target;
  for (int round = has_time ? 60 : 4; round > 0; --round) {
    world.run(random.jitter(25ms));
    const auto [one, other] = random.below(2) == 0 ? std::pair("alpha", "beta") : std::pair("beta", "alpha");
    const std::uint64_t how = has_time ? random.below(4) : 0;
    if (how < 2) {
      world.network.break_connections(one, other);
    } else if (how == 2) {
      world.network.break_half(one, other);
    } else {
      world.network.forget_connections(one, other);
    }
    if (a.sees(b) && random.below(3) == 0) a.send(b, from_a++);
    if (b.sees(a) && random.below(3) == 0) b.send(a, from_b++);
  }
  world.run(limits::down_after);
  for (const LinkNode* node : {&a, &b}) {
    EXPECT_EQ(node->downs.size(), 0U) << node->downs[0].second.to_string();
    EXPECT_EQ(node->returned.size(), 0U);
    EXPECT_EQ(node->ups.size(), 1U);
  }
  EXPECT_EQ(numbers(a), up_to(from_b));
  EXPECT_EQ(numbers(b), up_to(from_a));
  EXPECT_EQ(world.network.connections(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SessionsBornUnderRandomBreaks, testing::Range<std::uint64_t>(0, 300));

}  // namespace
}  // namespace cobus::link
