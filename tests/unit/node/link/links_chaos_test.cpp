// SPDX-License-Identifier: Apache-2.0
//
// Links against a network that breaks at random and against peers that send anything. Each failure prints the
// seed that repeats it.
#include <gtest/gtest.h>

#include <map>

#include "node/link/hello.hpp"
#include "proto/limits.hpp"
#include "tests/unit/node/link/link_world.hpp"

namespace cobus::link {
namespace {

using namespace std::chrono_literals;

// Within a session everything comes in the order sent, and nothing ever comes twice. Gaps lie only between
// sessions, since a session that ends takes what was on its way with it.
testing::AssertionResult arrived_in_order(const LinkNode& node) {
  struct Last {
    std::uint64_t number = 0;
    std::size_t session = 0;
  };
  std::map<NodeId, Last> last;
  for (const LinkNode::Got& got : node.got) {
    auto [found, is_new] = last.try_emplace(got.from);
    Last& before = found->second;
    if (!is_new && got.number <= before.number) {
      return testing::AssertionFailure()
             << got.number << " came after " << before.number << " from " << to_string(got.from);
    }
    if (!is_new && got.session == before.session && got.number != before.number + 1) {
      return testing::AssertionFailure()
             << "a gap within a session from " << before.number << " to " << got.number;
    }
    before = {got.number, got.session};
  }
  return testing::AssertionSuccess();
}

// Each peer's ups and downs alternate, beginning with an up.
testing::AssertionResult sessions_make_sense(const LinkNode& node) {
  if (node.ups.size() != node.downs.size() + node.connected.size()) {
    return testing::AssertionFailure() << node.ups.size() << " ups, " << node.downs.size() << " downs, "
                                       << node.connected.size() << " connected";
  }
  for (const NodeId peer : node.connected) {
    if (std::ranges::count(node.connected, peer) != 1) {
      return testing::AssertionFailure() << "two sessions with " << to_string(peer);
    }
  }
  return testing::AssertionSuccess();
}

// Something goes wrong with the network between `one` and `other`, or is mended.
void disturb(LinkWorld& world, const LinkNode& one, const LinkNode& other) {
  switch (world.network.random().below(10)) {
    case 0:
    case 1:
      world.network.break_connections(one.host, other.host);
      break;
    case 2:
      world.network.cut(one.host, other.host);
      break;
    case 3:
      world.network.options().break_one_in = world.network.random().below(2) == 0 ? 20 : 0;
      break;
    case 4:
      world.network.options().latency_max = 1ms + world.network.random().jitter(100ms);
      break;
    case 5:
    case 6:
      world.network.break_half(one.host, other.host);
      break;
    default:
      world.network.heal(one.host, other.host);
  }
}

class LinksUnderRandomCuts : public testing::TestWithParam<std::uint64_t> {};

TEST_P(LinksUnderRandomCuts, KeepTheOrderRepeatNothingAndRecover) {
  LinkWorld world(GetParam());
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  std::vector<LinkNode*> nodes;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    nodes.push_back(&world.add({.name = "node-" + std::to_string(i),
                                .endpoint = "tcp://10.0.0." + std::to_string(i) + ":7000",
                                .id = i}));
  }
  std::map<std::pair<LinkNode*, LinkNode*>, std::uint64_t> sent;
  const auto each_pair = [&](const auto& action) {
    for (LinkNode* from : nodes) {
      for (LinkNode* to : nodes) {
        if (from != to) action(from, to);
      }
    }
  };
  each_pair([](LinkNode* from, LinkNode* to) { from->know(*to); });
  for (int round = 0; round < 60; ++round) {
    each_pair([&](LinkNode* from, LinkNode* to) {
      for (std::uint64_t count = world.network.random().below(5); count > 0; --count) {
        from->send(*to, sent[{from, to}]++);
      }
    });
    if (world.network.random().below(3) == 0) {
      disturb(world, *nodes[world.network.random().below(3)], *nodes[world.network.random().below(3)]);
    }
    world.run(world.network.random().jitter(world.network.random().below(10) == 0 ? 6s : 300ms));
    each_pair([&](LinkNode* from, LinkNode*) { ASSERT_TRUE(sessions_make_sense(*from)); });
  }
  world.network.heal_all();
  world.network.options() = {};
  // All that was submitted and not on its way is answered, and everybody reaches everybody again.
  world.run(limits::down_after + 2 * limits::redial_max);
  each_pair([&](LinkNode* from, LinkNode* to) { from->send(*to, sent[{from, to}]++); });
  world.run(2 * limits::redial_max);
  each_pair([&](LinkNode* from, LinkNode* to) {
    EXPECT_TRUE(arrived_in_order(*from));
    EXPECT_TRUE(from->sees(*to));
    const bool last_arrived = std::ranges::any_of(to->got, [&](const LinkNode::Got& got) {
      return got.from == from->id && got.number + 1 == sent[{from, to}];
    });
    EXPECT_TRUE(last_arrived) << to_string(from->id) << " to " << to_string(to->id);
  });
  EXPECT_EQ(world.network.connections(), 3U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LinksUnderRandomCuts, testing::Range<std::uint64_t>(0, 200));

// Somebody who speaks frames by hand.
struct Attacker final : TransportEvents {
  Attacker(LinkWorld& where, bool certified, const std::string& endpoint = "")
      : world(where), pair(make_curve_pair()) {
    if (certified) certificate = certify(world.cluster, "attacker", v1::NODE, pair.key);
    transport = world.network.attach("attacker", endpoint, pair.key);
    world.also_poll = [this] { transport->poll(*this, Duration(0)); };
  }
  ~Attacker() override { world.also_poll = nullptr; }
  Attacker(const Attacker&) = delete;
  Attacker& operator=(const Attacker&) = delete;
  void on_open(ConnectionId) override {}
  void on_frame(ConnectionId id, const CurveKey&, FrameIn frame) override {
    from = id;
    if (first_frame.empty()) {
      first_frame = frame.bytes();
    } else {
      sequences.push_back(read_frame_header(frame.bytes())->sequence);
    }
  }
  void on_closed(ConnectionId, CloseReason) override { closed = true; }

  void dial(const LinkNode& victim) {
    closed = false;
    first_frame.clear();
    sequences.clear();
    connection = *transport->dial(victim.endpoint, victim.key);
  }
  [[nodiscard]] std::string hello(std::uint64_t session) const {
    v1::Hello hello;
    hello.set_protocol_min(limits::protocol_min);
    hello.set_protocol_max(limits::protocol_max);
    hello.set_node(666);
    hello.set_session(session);
    if (certificate) *hello.mutable_certificate() = *certificate;
    return hello_frame(hello);
  }
  void send(std::string_view frame) { transport->send(connection, frame); }
  // Dials, sends `hello`, and lets the victim answer.
  void greet(const LinkNode& victim, std::string_view hello) {
    dial(victim);
    send(hello);
    settle();
  }
  void settle() const { world.run(3ms); }
  // Gives up this connection and lets the victim forget it.
  void leave() {
    transport->close(connection);
    world.run(3ms);
  }

  LinkWorld& world;
  CurvePair pair;
  std::optional<v1::Certificate> certificate;
  std::unique_ptr<Transport> transport;
  ConnectionId connection = ConnectionId::none;
  ConnectionId from = ConnectionId::none;  // of the last frame
  std::string first_frame;                 // on the last connection
  std::vector<std::uint64_t> sequences;    // of those behind it
  bool closed = false;
};

std::string random_bytes(Random& random, std::size_t longest) {
  std::string bytes(random.below(longest + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

// A few bytes changed, removed or added.
std::string mutated(Random& random, std::string frame) {
  for (std::uint64_t count = 1 + random.below(4); count > 0; --count) {
    const std::size_t at = random.below(frame.size() + 1);
    switch (random.below(4)) {
      case 0:
        if (at < frame.size()) frame[at] = static_cast<char>(random.next());
        break;
      case 1:
        if (at < frame.size()) frame[at] = static_cast<char>(frame[at] ^ (1 << random.below(8)));
        break;
      case 2:
        frame.resize(at);
        break;
      default:
        frame.insert(at, random_bytes(random, 8));
    }
  }
  return frame;
}

std::string data_frame(std::uint64_t session, std::uint64_t sequence, std::uint64_t number) {
  std::string frame;
  append_frame_header(frame, {.session = session, .sequence = sequence});
  return frame + one_envelope(number, "payload");
}

std::string beat(std::uint64_t session, std::uint64_t sent = 0) {
  std::string frame;
  append_frame_header(frame, {.session = session, .sent = sent});
  return frame;
}

struct LinksUnderAttack : testing::Test {
  LinkWorld world;
  LinkNode& victim = world.add({.name = "victim", .endpoint = endpoint_a, .id = 1});
  LinkNode& friendly = world.add({.name = "friendly", .endpoint = "", .id = 2});
  std::uint64_t sent = 0;

  void SetUp() override {
    friendly.know(victim);
    expect_service();
  }
  // Whatever happened, others are served.
  void expect_service() {
    friendly.send(victim, sent++);
    ASSERT_TRUE(world.run(1s, [&] { return !victim.got.empty() && victim.got.back().from == friendly.id; }));
    victim.got.clear();
    ASSERT_TRUE(friendly.downs.empty());
  }
};

TEST_F(LinksUnderAttack, SurviveAnyFirstFrame) {
  Attacker attacker(world, false);
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    SeededRandom random(seed);
    attacker.dial(victim);
    attacker.send(random.below(2) == 0 ? random_bytes(random, 300)
                                       : mutated(random, attacker.hello(seed + 1)));
    attacker.send(data_frame(seed + 1, 1, seed));
    attacker.settle();
    ASSERT_TRUE(victim.got.empty()) << "seed " << seed;
    ASSERT_EQ(victim.ups.size(), 1U) << "seed " << seed;  // the friendly one
    attacker.leave();
  }
  expect_service();
}

TEST_F(LinksUnderAttack, SurviveAnyFrameWithinASession) {
  Attacker attacker(world, true);
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    SeededRandom random(seed);
    attacker.dial(victim);
    attacker.send(attacker.hello(seed + 1));
    for (std::uint64_t i = 1; i <= 3; ++i) {
      const std::string frame = data_frame(seed + 1, i, i);
      attacker.send(random.below(4) == 0 ? random_bytes(random, 300) : mutated(random, frame));
    }
    attacker.settle();
    attacker.leave();
    ASSERT_TRUE(world.run(1s, [&] { return victim.connected == std::vector{friendly.id}; }))
        << "seed " << seed;
  }
  EXPECT_EQ(victim.ups.size(), 10'001U);
  EXPECT_EQ(victim.downs.size(), 10'000U);
  victim.got.clear();
  expect_service();
}

TEST_F(LinksUnderAttack, CloseAFirstFrameThatIsTooLargeOrCarriesMore) {
  Attacker attacker(world, true);
  std::string large = attacker.hello(1);
  append_envelope(large, {.kind = v1::MESSAGE}, std::string(limits::hello_bytes_max, 'x'));
  std::string more = attacker.hello(1) + one_envelope(1);
  for (const std::string& frame : {large, more, data_frame(1, 1, 1), std::string()}) {
    attacker.dial(victim);
    attacker.send(frame);
    attacker.settle();
    EXPECT_TRUE(attacker.closed);
    EXPECT_TRUE(attacker.first_frame.empty());
    attacker.leave();
  }
  EXPECT_EQ(victim.links->counters().malformed, 4U);
  EXPECT_EQ(victim.ups.size(), 1U);
}

TEST_F(LinksUnderAttack, DeliverARefusalBeforeTheClose) {
  for (int i = 0; i < 50; ++i) {
    Attacker attacker(world, false);
    attacker.greet(victim, attacker.hello(5));
    ASSERT_FALSE(attacker.closed);
    const auto refusal = read_hello(attacker.first_frame);
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal_of(*refusal).code(), Code::unauthenticated);
    world.run(200ms);
    attacker.settle();
    ASSERT_TRUE(attacker.closed);
  }
}

TEST_F(LinksUnderAttack, DropAConnectionThatWaitedWhileANewerOneCameUp) {
  Attacker attacker(world, true);
  std::vector<ConnectionId> connections;
  const auto connect = [&](std::uint64_t session) {
    attacker.dial(victim);
    connections.push_back(attacker.connection);
    attacker.send(attacker.hello(session));
    attacker.settle();
  };
  const auto send = [&](std::size_t connection, const std::string& frame) {
    attacker.transport->send(connections[connection], frame);
    attacker.settle();
  };
  connect(11);  // up
  send(0, data_frame(11, 1, 0));
  victim.got.clear();
  connect(12);  // waits
  connect(13);  // the same
  ASSERT_EQ(victim.ups.size(), 2U);
  send(2, data_frame(13, 1, 2));
  ASSERT_EQ(victim.ups.size(), 3U);
  send(1, data_frame(12, 1, 1));
  EXPECT_EQ(victim.got.size(), 1U);
  send(2, data_frame(13, 2, 3));
  EXPECT_EQ(victim.got.size(), 2U);
  EXPECT_EQ(victim.downs.size(), 1U);
}

// Before anything came in a session nothing is said in it, so another can take its place with nothing lost.
TEST_F(LinksUnderAttack, M2_LeaveASessionThatTheOtherSideHasNotConfirmed) {
  Attacker attacker(world, true);
  attacker.greet(victim, attacker.hello(11));
  ASSERT_EQ(victim.ups.size(), 2U);
  victim.links->submit(NodeId{666}, one_envelope(1), 0);
  const auto waits = [&] {
    world.run(2s);
    EXPECT_EQ(attacker.sequences, std::vector<std::uint64_t>(attacker.sequences.size(), 0)) << "beats only";
  };
  waits();
  attacker.greet(victim, attacker.hello(12));
  waits();
  attacker.send(beat(12));
  attacker.settle();
  ASSERT_EQ(attacker.sequences.back(), 1U);
  EXPECT_EQ(victim.ups.size(), 2U);
  EXPECT_TRUE(victim.downs.empty() && victim.returned.empty());
  EXPECT_EQ(victim.links->counters().undeliverable, 0U);
  // From now on another one is another.
  attacker.greet(victim, attacker.hello(13));
  attacker.send(beat(13));
  attacker.settle();
  EXPECT_EQ(victim.ups.size(), 3U);
  EXPECT_EQ(victim.downs.size(), 1U);
}

// It was told that we do not have session 12, and will leave it: what it has said in it before, and comes
// only now, does not bring that up.
TEST_F(LinksUnderAttack, M2_TakeUpNoSessionThatTheyHaveDisowned) {
  Attacker attacker(world, true);
  attacker.greet(victim, attacker.hello(11));
  attacker.greet(victim, attacker.hello(12));
  const ConnectionId late = attacker.connection;
  v1::Hello hello = *read_hello(attacker.hello(13));
  hello.set_resume(12);
  attacker.greet(victim, hello_frame(hello));
  EXPECT_EQ(read_hello(attacker.first_frame)->session(), 13U);
  EXPECT_EQ(attacker.transport->send(late, beat(12)), SendOutcome::gone);
  attacker.send(data_frame(13, 1, 1));
  attacker.settle();
  EXPECT_EQ(victim.got.size(), 1U);
  EXPECT_EQ(victim.ups.size(), 2U);
  EXPECT_TRUE(victim.downs.empty());
}

// The same of the answer to a dial of its own, to an address where it did not know who lives.
TEST_F(LinksUnderAttack, M2_ForgetADialWhoseSessionTheyHaveDisowned) {
  Attacker attacker(world, true, endpoint_c);
  LinkNode& dials = world.add({.name = "dials", .endpoint = endpoint_b, .id = 1000});
  dials.links->add_target({endpoint_c}, attacker.pair.key);
  ASSERT_TRUE(world.run(1s, [&] { return !attacker.first_frame.empty(); }));
  const ConnectionId accepted = attacker.from;
  v1::Hello hello = *read_hello(attacker.hello(777));
  hello.set_resume(read_hello(attacker.first_frame)->session());
  attacker.greet(dials, hello_frame(hello));
  EXPECT_EQ(read_hello(attacker.first_frame)->session(), 777U);
  EXPECT_EQ(attacker.transport->send(accepted, attacker.hello(hello.resume())), SendOutcome::gone);
}

// CURVE lets who sits between two nodes leave out whole messages, the answer to a Hello too. So a frame in
// its place says nothing about who lives there.
TEST_F(LinksUnderAttack, M2_DialAgainWhenSomethingElseCameInPlaceOfTheAnswer) {
  Attacker attacker(world, true, endpoint_c);
  victim.links->learn(NodeId{666}, {endpoint_c}, attacker.pair.key);
  victim.links->submit(NodeId{666}, one_envelope(1), 0);
  const auto hello = [&] {
    attacker.first_frame.clear();
    EXPECT_TRUE(world.run(1s, [&] { return !attacker.first_frame.empty(); }));
    return read_hello(attacker.first_frame);
  };
  for (const bool is_beat : {false, true}) {
    const std::uint64_t session = hello()->session();
    attacker.transport->send(attacker.from, is_beat ? beat(session) : data_frame(session, 1, 1));
  }
  const std::uint64_t session = hello()->session();
  attacker.transport->send(attacker.from, attacker.hello(session));
  attacker.transport->send(attacker.from, beat(session));
  attacker.sequences.clear();
  EXPECT_TRUE(world.run(1s, [&] { return std::ranges::count(attacker.sequences, 1U) == 1; }));
  EXPECT_TRUE(victim.returned.empty());
  EXPECT_EQ(victim.links->counters().malformed, 2U);
}

TEST_F(LinksUnderAttack, EndASessionThatIsNotConfirmedWhenAnotherLifeBeginsOne) {
  Attacker attacker(world, true);
  attacker.greet(victim, attacker.hello(11));
  v1::Hello hello = *read_hello(attacker.hello(12));
  hello.set_incarnation(5);
  attacker.greet(victim, hello_frame(hello));
  attacker.send(beat(12));
  attacker.settle();
  EXPECT_EQ(victim.ups.size(), 3U);
  EXPECT_EQ(victim.downs.size(), 1U);
}

// What each of these does to a session, and how it is called.
struct Violation {
  std::string frame;
  Code code;
};

TEST_F(LinksUnderAttack, EndTheSessionOfWhoBreaksTheProtocol) {
  std::string acknowledges;
  append_frame_header(acknowledges, {.session = 5, .sequence = 2, .acknowledged = 99});
  std::string hello_again;
  append_frame_header(hello_again, {.session = 5, .sequence = 2, .hello = "\x08\x01"});
  std::string empty_hello;
  append_frame_header(empty_hello, {.session = 5, .sequence = 2});
  empty_hello += std::string("\x22\0", 2);
  const std::vector<Violation> violations = {
      {data_frame(6, 2, 1), Code::internal},                                    // another session
      {empty_hello, Code::internal},         {"\xff\xff\xff", Code::internal},  // no frame
      {acknowledges, Code::internal},                                           // what was never sent
      {hello_again, Code::internal},
  };
  for (const Violation& violation : violations) {
    Attacker attacker(world, true);
    attacker.dial(victim);
    attacker.send(attacker.hello(5));
    attacker.send(data_frame(5, 1, 1));
    attacker.settle();
    ASSERT_EQ(victim.got.size(), 1U);
    attacker.send(violation.frame);
    attacker.settle();
    ASSERT_TRUE(attacker.closed);
    EXPECT_EQ(victim.got.size(), 1U);
    ASSERT_FALSE(victim.downs.empty());
    EXPECT_EQ(victim.downs.back().second.code(), violation.code) << victim.downs.back().second.to_string();
    EXPECT_NE(victim.downs.back().second.message().find("attacker"), std::string::npos);
    victim.got.clear();
  }
}

TEST_F(LinksUnderAttack, TakeAnEmptyEndForTheEndOfTheSession) {
  Attacker attacker(world, true);
  attacker.greet(victim, attacker.hello(5));
  std::string end;
  append_frame_header(end, {.session = 5});
  end += std::string("\x32\0", 2);
  attacker.send(end);
  attacker.settle();
  ASSERT_EQ(victim.downs.size(), 1U);
  EXPECT_NE(victim.downs.back().second.message().find("has ended the session"), std::string::npos);
}

TEST_F(LinksUnderAttack, TakeNothingTwiceAndCloseTheConnectionAtAGap) {
  Attacker attacker(world, true);
  attacker.dial(victim);
  attacker.send(attacker.hello(5));
  for (const std::uint64_t sequence : {1, 1, 2, 1, 2}) attacker.send(data_frame(5, sequence, sequence));
  attacker.settle();
  EXPECT_EQ(victim.got.size(), 2U);
  EXPECT_EQ(victim.links->counters().repeated, 3U);
  attacker.send(data_frame(5, 4, 4));
  attacker.settle();
  EXPECT_TRUE(attacker.closed);
  EXPECT_EQ(victim.links->counters().missing, 1U);
  EXPECT_TRUE(victim.downs.empty());  // it may come back and say it again
  ASSERT_TRUE(world.run(1s, [&] { return !victim.downs.empty(); }));
  EXPECT_EQ(victim.got.size(), 2U);
}

// Nothing comes behind the last frame that would show a gap in the numbers, but beats do.
TEST_F(LinksUnderAttack, M2_MissTheLastFrameByTheBeatBehindIt) {
  Attacker attacker(world, true);
  attacker.greet(victim, attacker.hello(5));
  attacker.send(data_frame(5, 1, 1));
  attacker.send(beat(5, 1));
  attacker.settle();
  EXPECT_FALSE(attacker.closed);
  attacker.send(beat(5, 2));
  attacker.settle();
  EXPECT_TRUE(attacker.closed);
  EXPECT_EQ(victim.links->counters().missing, 1U);
  EXPECT_TRUE(victim.downs.empty());
  v1::Hello hello = *read_hello(attacker.hello(6));
  hello.set_resume(5);
  attacker.greet(victim, hello_frame(hello));
  EXPECT_EQ(read_hello(attacker.first_frame)->session(), 5U);
  attacker.send(data_frame(5, 2, 2));
  attacker.settle();
  EXPECT_EQ(victim.got.size(), 2U);
}

// Only who proves the key of the session goes on with it, and only from where it stands.
TEST_F(LinksUnderAttack, GoOnWithASessionOnlyAsItWas) {
  Attacker attacker(world, true);
  Attacker other(world, true);
  other.connection = ConnectionId::none;
  world.also_poll = [&] {
    attacker.transport->poll(attacker, Duration(0));
    other.transport->poll(other, Duration(0));
  };
  const auto come_back = [&](Attacker& who, std::uint64_t resume, std::uint64_t last_received) {
    v1::Hello hello = *read_hello(who.hello(77));
    hello.set_resume(resume);
    hello.set_last_received(last_received);
    who.greet(victim, hello_frame(hello));
    return read_hello(who.first_frame);
  };
  const auto begin = [&] {
    attacker.dial(victim);
    attacker.send(attacker.hello(5));
    attacker.send(data_frame(5, 1, 1));
    attacker.settle();
    attacker.transport->close(attacker.connection);
    world.run(3ms);
    victim.got.clear();
  };
  begin();
  const auto refused = come_back(other, 5, 0);  // another key, and the node id is taken
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refusal_of(*refused).code(), Code::permission_denied);
  const auto ahead = come_back(attacker, 5, 99);  // has what was never sent
  ASSERT_TRUE(ahead.has_value());
  EXPECT_EQ(ahead->session(), 77U);
  attacker.leave();
  const auto unknown = come_back(attacker, 6, 0);
  ASSERT_TRUE(unknown.has_value());
  EXPECT_EQ(unknown->session(), 77U);
  attacker.leave();
  const auto well = come_back(attacker, 5, 0);
  ASSERT_TRUE(well.has_value());
  EXPECT_EQ(well->session(), 5U);
  EXPECT_EQ(well->last_received(), 1U);
  attacker.send(data_frame(5, 1, 1));
  attacker.send(data_frame(5, 2, 2));
  attacker.settle();
  EXPECT_EQ(victim.got.size(), 1U);
  EXPECT_EQ(victim.links->counters().resumed, 1U);
  EXPECT_TRUE(victim.downs.empty());
  world.also_poll = nullptr;
}

}  // namespace
}  // namespace cobus::link
