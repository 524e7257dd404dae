// SPDX-License-Identifier: Apache-2.0
//
// The door over real sockets on loopback: who says nothing, and who ends while others do not.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

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

// Keeps a transport busy from a thread of its own.
class Flood {
 public:
  explicit Flood(const Peer& server) : connection_(flooder_.dial(server)) {
    thread_ = std::thread([this] {
      while (!stop_.load()) {
        while (flooder_.transport->send(connection_, "flood") == SendOutcome::sent) {
        }
        flooder_.transport->poll(flooder_, 1ms);
      }
    });
  }
  ~Flood() {
    stop_.store(true);
    thread_.join();
  }

 private:
  Peer flooder_{""};
  ConnectionId connection_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST(ZmqDoor, W4_NoticesTheEndOfAPeerWhileOthersNeverStopSending) {
  Peer server;
  std::optional<ConnectionId> mortal_at;
  std::size_t floods = 0;
  server.answer = [&](ConnectionId connection, std::string_view bytes) {
    if (bytes != "flood") {
      mortal_at = connection;
    } else if (++floods % 8 == 0) {
      std::this_thread::sleep_for(100us);  // slower than they send, so there is always more
    }
  };
  const Flood first(server);
  const Flood second(server);
  auto mortal = std::make_unique<Peer>("");
  ASSERT_EQ(mortal->transport->send(mortal->dial(server), "hello"), SendOutcome::sent);
  ASSERT_TRUE(poll_until([&] { return mortal_at && floods > 1000; }, 10s, server, *mortal));
  mortal.reset();
  EXPECT_TRUE(
      poll_until([&] { return server.was_closed(*mortal_at, CloseReason::disconnected); }, 2s, server));
}

TEST(ZmqDialler, W4_NoticesTheEndOfAPeerWhileOthersNeverStopSending) {
  Peer client("");
  std::size_t floods = 0;
  client.answer = [&](ConnectionId, std::string_view bytes) {
    if (bytes == "flood" && ++floods % 8 == 0) std::this_thread::sleep_for(100us);
  };
  // Somebody who answers one frame with a flood.
  Peer flooder;
  const ConnectionId to_flooder = client.dial(flooder);
  ASSERT_EQ(client.transport->send(to_flooder, "begin"), SendOutcome::sent);
  ASSERT_TRUE(poll_until([&] { return !flooder.frames.empty(); }, 5s, client, flooder));
  std::atomic<bool> stop{false};
  std::thread thread([&] {
    while (!stop.load()) {
      while (flooder.transport->send(flooder.frames.front().connection, "flood") == SendOutcome::sent) {
      }
      flooder.transport->poll(flooder, 1ms);
    }
  });
  auto mortal = std::make_unique<Peer>();
  const ConnectionId to_mortal = client.dial(*mortal);
  const bool up =
      poll_until([&] { return client.opened.size() == 2 && floods > 1000; }, 10s, client, *mortal);
  mortal.reset();
  const bool noticed =
      poll_until([&] { return client.was_closed(to_mortal, CloseReason::disconnected); }, 2s, client);
  stop.store(true);
  thread.join();
  EXPECT_TRUE(up);
  EXPECT_TRUE(noticed);
}

}  // namespace
}  // namespace cobus::link
