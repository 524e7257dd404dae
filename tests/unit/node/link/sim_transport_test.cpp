// SPDX-License-Identifier: Apache-2.0
#include "node/link/sim_transport.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cobus::link {
namespace {

using namespace std::chrono_literals;

constexpr char endpoint_a[] = "tcp://10.0.0.1:7000";
constexpr char endpoint_b[] = "tcp://10.0.0.2:7000";

CurveKey key_of(std::uint8_t number) {
  CurveKey key;
  key.bytes.fill(number);
  return key;
}

// One process that writes down what happens to it.
struct Process final : TransportEvents {
  Process(SimNetwork& net, std::string host, const std::string& endpoint, std::uint8_t number)
      : network(net), transport(net.attach(std::move(host), endpoint, key_of(number))) {}

  void on_open(ConnectionId connection) override { log.push_back("open"), last = connection; }
  void on_frame(ConnectionId connection, const CurveKey& key, FrameIn frame) override {
    log.push_back(std::string(frame.bytes())), last = connection, proven = key;
  }
  void on_closed(ConnectionId, CloseReason reason) override { log.emplace_back(close_reason_text(reason)); }
  ConnectionId dial(const std::string& endpoint, std::uint8_t number) const {
    return *transport->dial(endpoint, key_of(number));
  }
  void poll() { transport->poll(*this, Duration(0)); }

  SimNetwork& network;
  std::vector<std::string> log;
  ConnectionId last = ConnectionId::none;
  CurveKey proven;
  std::unique_ptr<Transport> transport;
};

struct SimTransportTest : testing::Test {
  SimNetwork network{1};
  Process a{network, "a", endpoint_a, 1};
  Process b{network, "b", endpoint_b, 2};

  void settle() {
    for (TimePoint next = network.next_event(); next != never; next = network.next_event()) {
      network.clock().advance_to(next);
      a.poll();
      b.poll();
    }
  }
  std::string closed(CloseReason reason) { return std::string(close_reason_text(reason)); }
};

TEST_F(SimTransportTest, CarriesFramesBothWaysInOrderWithTheProvenKey) {
  const ConnectionId dialled = a.dial(endpoint_b, 2);
  for (const char* frame : {"1", "2", "3"}) EXPECT_EQ(a.transport->send(dialled, frame), SendOutcome::sent);
  settle();
  EXPECT_EQ(a.log, std::vector<std::string>{"open"});
  EXPECT_EQ(b.log, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(b.proven, key_of(1));
  EXPECT_EQ(b.transport->send(b.last, "back"), SendOutcome::sent);
  settle();
  EXPECT_EQ(a.log.back(), "back");
  EXPECT_EQ(a.proven, key_of(2));
}

TEST_F(SimTransportTest, DeliversNothingBeforeItsTime) {
  network.options().latency_min = network.options().latency_max = 5ms;
  a.dial(endpoint_b, 2);
  network.clock().advance(4ms);
  a.poll();
  EXPECT_TRUE(a.log.empty());
  network.clock().advance(1ms);
  a.poll();
  EXPECT_EQ(a.log, std::vector<std::string>{"open"});
}

TEST_F(SimTransportTest, ASlowFrameHoldsUpWhatFollowsIt) {
  const ConnectionId dialled = a.dial(endpoint_b, 2);
  network.options() = {.slow_one_in = 1, .slow_max = 1s};
  const TimePoint start = network.clock().now();
  a.transport->send(dialled, "1");
  network.options() = {};
  a.transport->send(dialled, "2");
  settle();
  EXPECT_EQ(b.log, (std::vector<std::string>{"1", "2"}));
  EXPECT_GT(network.clock().now() - start, 2ms);
  EXPECT_LE(network.clock().now() - start, 1s);
}

TEST_F(SimTransportTest, RefusesDialsToNobodyAndFailsThoseToAnotherKey) {
  a.dial("tcp://10.0.0.9:7000", 9);
  settle();
  a.dial(endpoint_b, 3);
  settle();
  EXPECT_EQ(a.log,
            (std::vector<std::string>{closed(CloseReason::refused), closed(CloseReason::handshake_failed)}));
  EXPECT_FALSE(a.transport->dial("somewhere", key_of(2)).has_value());
}

TEST_F(SimTransportTest, TellsTheOtherSideOfACloseAfterTheFramesOrInsteadOfThem) {
  int arrived = 0;
  for (int i = 0; i < 40; ++i) {
    b.log.clear();
    const ConnectionId dialled = a.dial(endpoint_b, 2);
    a.transport->send(dialled, "first");
    settle();
    a.transport->send(dialled, "last");
    a.transport->close(dialled);
    settle();
    ASSERT_EQ(b.log.back(), closed(CloseReason::disconnected));
    arrived += b.log.size() == 3 ? 1 : 0;
  }
  EXPECT_GT(arrived, 0);
  EXPECT_LT(arrived, 40);
}

TEST_F(SimTransportTest, NeverReportsTheEndOfAConnectionThatBroughtNothing) {
  const ConnectionId dialled = a.dial(endpoint_b, 2);
  settle();
  a.transport->close(dialled);
  settle();
  EXPECT_TRUE(b.log.empty());
}

TEST_F(SimTransportTest, HoldsEverythingBackWhileHostsAreCut) {
  const ConnectionId dialled = a.dial(endpoint_b, 2);
  a.transport->send(dialled, "1");
  settle();
  network.cut("a", "b");
  a.transport->send(dialled, "2");
  a.transport->send(dialled, "3");
  EXPECT_EQ(network.next_event(), never);
  settle();
  EXPECT_EQ(b.log, std::vector<std::string>{"1"});
  network.heal("b", "a");
  settle();
  EXPECT_EQ(b.log, (std::vector<std::string>{"1", "2", "3"}));
}

TEST_F(SimTransportTest, KnowsThatNobodyPollsOnAFrozenHost) {
  const ConnectionId dialled = a.dial(endpoint_b, 2);
  a.transport->send(dialled, "1");
  const TimePoint thaws = network.clock().now() + 1s;
  network.freeze("b", thaws);
  network.clock().advance_to(network.next_event());
  a.poll();
  EXPECT_EQ(a.log, std::vector<std::string>{"open"});
  EXPECT_EQ(network.next_event(), thaws);
  settle();
  EXPECT_EQ(b.log, std::vector<std::string>{"1"});
}

TEST_F(SimTransportTest, EndsTheConnectionsOfAKilledHostAndRefusesLaterDials) {
  const ConnectionId dialled = a.dial(endpoint_b, 2);
  settle();
  network.kill("b");
  settle();
  EXPECT_EQ(a.log.back(), closed(CloseReason::disconnected));
  EXPECT_EQ(a.transport->send(dialled, "x"), SendOutcome::gone);
  a.dial(endpoint_b, 2);
  settle();
  EXPECT_EQ(a.log.back(), closed(CloseReason::refused));
  Process again(network, "b", endpoint_b, 2);
  a.dial(endpoint_b, 2);
  settle();
  EXPECT_EQ(a.log.back(), "open");
}

TEST_F(SimTransportTest, BlocksASenderWhoseFramesAreNotTaken) {
  network.options().in_flight_bytes_max = 10;
  const ConnectionId dialled = a.dial(endpoint_b, 2);
  EXPECT_EQ(a.transport->send(dialled, "12345678"), SendOutcome::sent);
  EXPECT_EQ(a.transport->send(dialled, "9abc"), SendOutcome::would_block);
  settle();
  EXPECT_EQ(a.transport->send(dialled, "9abc"), SendOutcome::sent);
}

TEST_F(SimTransportTest, BreaksConnectionsForBothSidesOnceEach) {
  const ConnectionId dialled = a.dial(endpoint_b, 2);
  a.transport->send(dialled, "1");
  settle();
  network.break_connections("b", "a");
  a.transport->send(dialled, "lost");
  network.break_connections("b", "a");
  settle();
  EXPECT_EQ(a.log, (std::vector<std::string>{"open", closed(CloseReason::disconnected)}));
  EXPECT_EQ(b.log, (std::vector<std::string>{"1", closed(CloseReason::disconnected)}));
  EXPECT_EQ(network.connections(), 0U);
}

TEST_F(SimTransportTest, BreaksAConnectionForOneSideOnly) {
  const ConnectionId dialled = a.dial(endpoint_b, 2);
  a.transport->send(dialled, "1");
  settle();
  network.break_half("a", "b");
  settle();
  EXPECT_EQ(a.log.back(), closed(CloseReason::disconnected));
  EXPECT_EQ(b.log, std::vector<std::string>{"1"});
  EXPECT_EQ(b.transport->send(b.last, "into the void"), SendOutcome::sent);
  settle();
  EXPECT_EQ(a.log.size(), 2U);
}

std::vector<std::string> history(std::uint64_t seed) {
  SimNetwork network(seed, {.break_one_in = 50});
  Process a(network, "a", endpoint_a, 1);
  Process b(network, "b", endpoint_b, 2);
  for (int i = 0; i < 200; ++i) {
    if (a.last == ConnectionId::none || a.log.back() != "open") a.dial(endpoint_b, 2);
    a.transport->send(a.last, std::to_string(i));
    network.clock().advance(network.random().jitter(1ms));
    a.poll();
    b.poll();
    b.log.push_back(std::to_string(network.clock().now().time_since_epoch().count()));
  }
  return b.log;
}

TEST(SimNetwork, RepeatsARunFromItsSeed) {
  EXPECT_EQ(history(5), history(5));
  EXPECT_NE(history(5), history(6));
}

}  // namespace
}  // namespace cobus::link
