// SPDX-License-Identifier: Apache-2.0
//
// Two Links in one thread over real sockets: CURVE on loopback, the system's clock.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "tests/unit/node/link/zmq_world.hpp"

namespace cobus::link {
namespace {

using namespace std::chrono_literals;

using LinksOverZmq = ZmqWorld;

TEST_F(LinksOverZmq, CarryTenThousandEnvelopesEachWayInOrder) {
  LinkNode a;
  LinkNode b;
  make(a, "alpha", 1);
  make(b, "beta", 2);
  a.know(b);
  b.know(a);  // both dial at once
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    a.send(b, i);
    b.send(a, i);
  }
  ASSERT_TRUE(
      run(a, b, [&] { return a.got.size() + a.returned.size() >= 10'000 && b.got.size() >= 10'000; }));
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    ASSERT_EQ(a.got[i].number, i);
    ASSERT_EQ(b.got[i].number, i);
  }
  EXPECT_EQ(a.ups.size(), 1U);
  EXPECT_EQ(b.ups.size(), 1U);
  EXPECT_EQ(a.ups[0].first.name, "beta");
}

TEST_F(LinksOverZmq, TakeSubmissionsFromManyThreadsWhileAPollSleeps) {
  constexpr std::uint64_t per_thread = 2'000;
  LinkNode a;
  LinkNode b;
  make(a, "alpha", 1);
  make(b, "beta", 2);
  a.know(b);
  std::atomic<std::uint64_t> arrived{0};
  b.react = [&](const PeerInfo&, const EnvelopeView&) { ++arrived; };
  const auto drive = [](LinkNode& node) {
    return std::jthread([&node](const std::stop_token& stop) {
      while (!stop.stop_requested()) node.links->poll(-1ns);  // sleeps until something happens or is woken
    });
  };
  std::vector<std::jthread> drivers;
  drivers.push_back(drive(a));
  drivers.push_back(drive(b));
  std::vector<std::jthread> senders;
  for (std::uint64_t thread = 0; thread < 3; ++thread) {
    senders.emplace_back([&a, &b, thread] {
      for (std::uint64_t i = 0; i < per_thread; ++i) a.send(b, thread * per_thread + i);
      a.links->wake();
    });
  }
  senders.clear();  // joins: nobody waited for a poll
  const TimePoint end = system_clock().now() + 20s;
  while (arrived < 3 * per_thread && system_clock().now() < end) std::this_thread::yield();
  EXPECT_EQ(a.links->peers().size(), 1U);
  for (std::jthread& driver : drivers) driver.request_stop();
  a.links->wake();
  b.links->wake();
  drivers.clear();
  ASSERT_EQ(arrived, 3 * per_thread);
  std::array<std::uint64_t, 3> next{};
  for (const LinkNode::Got& got : b.got) {
    EXPECT_EQ(got.number % per_thread, next[got.number / per_thread]++);  // each thread's in its order
  }
}

TEST_F(LinksOverZmq, TellAStrangerWhyItIsRefused) {
  LinkNode stranger;
  LinkNode b;
  make(stranger, "stranger", 1, false);
  make(b, "beta", 2);
  stranger.links->add_target({b.endpoint}, b.key);
  ASSERT_TRUE(run(stranger, b, [&] { return !stranger.target_failures.empty(); }));
  EXPECT_EQ(stranger.target_failures[0].code(), Code::unauthenticated)
      << stranger.target_failures[0].to_string();
  EXPECT_TRUE(b.ups.empty());
}

TEST_F(LinksOverZmq, NoticeAtOnceThatAPeerIsGone) {
  LinkNode a;
  {
    LinkNode b;
    make(a, "alpha", 1);
    make(b, "beta", 2);
    a.know(b);
    a.send(b, 1);
    ASSERT_TRUE(run(a, b, [&] { return !b.got.empty(); }));
  }
  const TimePoint end = system_clock().now() + 1s;
  while (a.downs.empty() && system_clock().now() < end) a.links->poll(1ms);
  EXPECT_EQ(a.downs.size(), 1U);
}

}  // namespace
}  // namespace cobus::link
