// SPDX-License-Identifier: Apache-2.0
//
// Sessions over real sockets with a network between them that misbehaves. COBUS_FLAP_SECONDS makes the last
// one longer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "proto/limits.hpp"
#include "tests/support/chaos_proxy.hpp"
#include "tests/unit/node/link/zmq_world.hpp"

namespace cobus::link {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

std::uint16_t port_of(const std::string& endpoint) {
  return static_cast<std::uint16_t>(std::stoul(endpoint.substr(endpoint.rfind(':') + 1)));
}

struct LinksThroughChaos : ZmqWorld {
  LinkNode a;
  LinkNode b;
  std::unique_ptr<ChaosProxy> to_a;
  std::unique_ptr<ChaosProxy> to_b;
  std::uint64_t sent = 0;

  void SetUp() override {
    make(a, "alpha", 1);
    make(b, "beta", 2);
    to_a = std::make_unique<ChaosProxy>(port_of(a.endpoint), 1);
    to_b = std::make_unique<ChaosProxy>(port_of(b.endpoint), 2);
    a.links->learn(b.id, {to_b->endpoint()}, b.key);
    b.links->learn(a.id, {to_a->endpoint()}, a.key);
    a.react = b.react = [](const PeerInfo& /*peer*/, const EnvelopeView& envelope) {
      EXPECT_EQ(envelope.payload.find_first_not_of(fill_of(envelope.header.call)), std::string_view::npos);
    };
    say();
    ASSERT_TRUE(run(a, b, [&] { return arrived(); }));
  }
  static char fill_of(std::uint64_t number) { return static_cast<char>('a' + number % 26); }
  void say(std::size_t bytes = 100) {
    const std::string payload(bytes, fill_of(sent));
    a.links->submit(b.id, one_envelope(sent, payload));
    b.links->submit(a.id, one_envelope(sent, payload));
    ++sent;
  }
  void set(const ChaosProxy::Faults& faults) const {
    to_a->set(faults);
    to_b->set(faults);
  }
  void reset_all() const {
    to_a->reset_all();
    to_b->reset_all();
  }
  [[nodiscard]] bool arrived() const { return a.got.size() == sent && b.got.size() == sent; }
  void run_for(Duration span) {
    const TimePoint end = system_clock().now() + span;
    static_cast<void>(run(a, b, [&] { return system_clock().now() >= end; }));
  }
  void expect_all_arrived_once_in_order() {
    EXPECT_TRUE(run(a, b, [&] { return arrived(); }))
        << a.got.size() << " and " << b.got.size() << " of " << sent;
    for (const LinkNode* node : {&a, &b}) {
      EXPECT_TRUE(node->downs.empty()) << node->downs[0].second.to_string();
      EXPECT_EQ(node->ups.size(), 1U);
      EXPECT_THAT(node->returned, IsEmpty());
      for (std::uint64_t i = 0; i < node->got.size(); ++i) ASSERT_EQ(node->got[i].number, i);
    }
  }
};

struct Named {
  const char* name;
  ChaosProxy::Faults faults;
};
std::ostream& operator<<(std::ostream& out, const Named& named) { return out << named.name; }

class LinksThroughEachChaos : public LinksThroughChaos, public testing::WithParamInterface<Named> {};

TEST_P(LinksThroughEachChaos, M2_LoseAndRepeatNothing) {
  for (int round = 0; round < 5; ++round) {
    set(GetParam().faults);
    for (int i = 0; i < 40; ++i) {
      say(i % 10 == 0 ? 20'000 : 100);
      run_for(5ms);
    }
    // The network is whole: they find each other within two caps of the backoff (M8).
    set({});
    const TimePoint healed = system_clock().now();
    say();
    ASSERT_TRUE(run(a, b, [&] { return arrived(); }))
        << a.got.size() << " and " << b.got.size() << " of " << sent;
    EXPECT_LE(system_clock().now() - healed, 2 * limits::redial_max);
  }
  expect_all_arrived_once_in_order();
}

INSTANTIATE_TEST_SUITE_P(Faults, LinksThroughEachChaos,
                         testing::Values(Named{"Delay", {.delay = 20ms, .jitter = 20ms}},
                                         Named{"Trickle", {.bytes_per_second = 50'000}},
                                         Named{"DamagedBytes", {.flip_one_in = 20}},
                                         Named{"RepeatedBytes", {.repeat_one_in = 20}},
                                         Named{"BrokenOff", {.truncate_one_in = 20}},
                                         Named{"HalfOpen", {.swallow = true}},
                                         Named{"NoNewConnections", {.refuse = true}}),
                         [](const auto& info) { return info.param.name; });

TEST_F(LinksThroughChaos, M2_GoOnWhenConnectionsAreReset) {
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 50; ++i) say();
    reset_all();
    run_for(20ms);
  }
  expect_all_arrived_once_in_order();
  EXPECT_GE(a.links->counters().resumed, 2U);
}

TEST_F(LinksThroughChaos, M2_GoOnWhenTheConnectionIsForgottenOnTheWay) {
  to_a->forget_all();
  to_b->forget_all();
  const TimePoint before = system_clock().now();
  say();
  ASSERT_TRUE(run(a, b, [&] { return arrived(); }));
  EXPECT_LE(system_clock().now() - before, limits::down_after);
  expect_all_arrived_once_in_order();
}

// A network that is cut and mended all the time, with a thousand messages a second each way.
TEST_F(LinksThroughChaos, M2_NeitherDropNorRepeatNorSwapAnythingWhileItFlaps) {
  const char* const asked = std::getenv("COBUS_FLAP_SECONDS");
  const auto length = std::chrono::seconds(asked != nullptr ? std::atoi(asked) : 5);
  SeededRandom random(7);
  const TimePoint begin = system_clock().now();
  TimePoint next_fault = begin + 200ms;
  while (system_clock().now() < begin + length) {
    // Some are large enough to go without a copy, and are read by libzmq when their connection breaks.
    while (sent < static_cast<std::uint64_t>((system_clock().now() - begin) / 1ms))
      say(random.below(50) == 0 ? 4'000 + random.below(30'000) : 100);
    a.links->poll(1ms);
    b.links->poll(Duration(0));
    if (system_clock().now() < next_fault) continue;
    next_fault = system_clock().now() + 50ms + random.jitter(500ms);
    switch (random.below(6)) {
      case 0:
        set({.swallow = true});
        break;
      case 1:
        set({.flip_one_in = 50, .repeat_one_in = 50, .truncate_one_in = 50});
        break;
      case 2:
        set({.delay = 30ms, .jitter = 30ms});
        break;
      case 3:
        set({});
        break;
      default:
        set({});
        reset_all();
    }
  }
  set({});
  expect_all_arrived_once_in_order();
}

}  // namespace
}  // namespace cobus::link
