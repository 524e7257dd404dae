// SPDX-License-Identifier: Apache-2.0
//
// The door over real sockets on loopback: who says nothing.
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "tests/unit/node/link/zmq_peer.hpp"

namespace cobus::link {
namespace {

std::size_t ended(const Peer& peer) { return peer.closed.size(); }

TEST(ZmqDoor, CutsOffWhoProvesAKeyAndSaysNothing) {
  ArrivalLimits limits;
  limits.patience = 300ms;
  Peer server(free_port, false, limits);
  Peer silent("");
  Peer speaker("");
  const ConnectionId said = speaker.dial(server);
  ASSERT_EQ(speaker.transport->send(said, "hello"), SendOutcome::sent);
  const ConnectionId unsaid = silent.dial(server);
  ASSERT_TRUE(poll_until([&] { return silent.was_closed(unsaid, CloseReason::disconnected); }, 5s, server,
                         silent, speaker));
  ASSERT_EQ(speaker.transport->send(said, "still here"), SendOutcome::sent);
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 2; }, 5s, server, speaker));
  EXPECT_EQ(ended(speaker), 0U);
}

TEST(ZmqDoor, LetsInWhoSpeaksWhileManySayNothing) {
  ArrivalLimits limits;
  limits.fair = 100ms;
  limits.of_loopback = 20;
  Peer server(free_port, false, limits);
  Peer silent("");
  for (int i = 0; i < 60; ++i) silent.dial(server);
  ASSERT_TRUE(poll_until([&] { return ended(silent) == 40; }, 10s, server, silent));
  std::this_thread::sleep_for(200ms);
  Peer speaker("");
  ASSERT_EQ(speaker.transport->send(speaker.dial(server), "hello"), SendOutcome::sent);
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 1; }, 5s, server, silent, speaker));
  EXPECT_TRUE(poll_until([&] { return ended(silent) == 41; }, 5s, server, silent))
      << "the oldest went for it";
}

TEST(ZmqDoor, HoldsNoMoreConnectionsThanItMay) {
  ArrivalLimits limits;
  limits.connections = 10;
  Peer server(free_port, false, limits);
  Peer many("");
  for (int i = 0; i < 10; ++i) static_cast<void>(many.transport->send(many.dial(server), "hello"));
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 10; }, 5s, server, many));
  for (int i = 0; i < 5; ++i) many.dial(server);
  EXPECT_TRUE(poll_until([&] { return ended(many) == 5; }, 5s, server, many));
  EXPECT_TRUE(server.closed.empty()) << "who has spoken stays";
}

}  // namespace
}  // namespace cobus::link
