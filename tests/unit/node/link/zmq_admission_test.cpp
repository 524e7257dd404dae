// SPDX-License-Identifier: Apache-2.0
//
// The traps of libzmq 4.3.4 that concern who gets in, each as it was measured. Those that others test: a door
// without a handler, routing ids that a peer chose, several parts, frames above the limit, live connections
// of a revoked key (socket_factory_test, zmq_transport_test).
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>

#include "tests/support/told_log.hpp"
#include "tests/unit/node/link/zmq_peer.hpp"

namespace cobus::link {
namespace {

// Whoever comes by plain TCP.
class Stranger {
 public:
  explicit Stranger(const std::string& endpoint) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  ~Stranger() { ::close(socket_); }

  void say(std::string_view bytes) const {
    EXPECT_EQ(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // Whether the other side has closed the connection.
  [[nodiscard]] bool is_shut() const {
    std::array<char, 256> said{};
    for (;;) {
      const ssize_t count = ::recv(socket_, said.data(), said.size(), MSG_DONTWAIT);
      if (count > 0) continue;
      return count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    }
  }

 private:
  const int socket_;
};

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text.push_back(static_cast<char>(value));
  return text;
}

// ZMTP 3.1: signature, version, mechanism (20 bytes), as-server, filler.
std::string greeting(const std::string& mechanism) {
  std::string text = bytes({0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1}) + mechanism;
  text.resize(64, '\0');
  return text;
}

std::size_t address_space_bytes() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(ZmqAdmission, A1_WhoSpeaksAnythingButCurveIsShutOut) {
  Peer server;
  const std::string tls = bytes({0x16, 3, 1, 0, 0xc8, 1, 0, 0, 0xc4, 3, 3}) + std::string(200, '\x2a');
  const std::string zmtp2 = bytes({0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 5, 0, 0, 0, 1, 'x'});
  for (const auto& [what, said] : std::vector<std::pair<std::string, std::string>>{
           {"HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
           {"TLS", tls},
           {"ZMTP 1", bytes({1, 0, 2, 0, 'x'})},
           {"ZMTP 2", zmtp2},
           {"NULL", greeting("NULL") + bytes({4, 6, 5, 'R', 'E', 'A', 'D', 'Y'}) + bytes({0, 1, 'x'})},
           {"PLAIN", greeting("PLAIN")}}) {
    const Stranger stranger(server.transport->listening());
    stranger.say(said);
    EXPECT_TRUE(poll_until([&] { return stranger.is_shut(); }, 10s, server)) << what;
  }
  EXPECT_TRUE(server.frames.empty());
  EXPECT_EQ(server.transport->access_counts().admitted, 0U);
  Peer friendly("");
  friendly.transport->send(friendly.dial(server), "hello");
  EXPECT_TRUE(poll_until([&] { return server.frames.size() == 1; }, 5s, server, friendly))
      << "nobody else is hurt";
}

TEST(ZmqAdmission, A1_AStrangerWhoAnnouncesAHugeFrameGetsNoMemoryForIt) {
  Peer server;
  poll_until([] { return false; }, 20ms, server);
  const std::size_t before = address_space_bytes();
  const Stranger stranger(server.transport->listening());
  stranger.say(greeting("CURVE"));
  // A long command of 3 GiB, before anything is proved.
  stranger.say(bytes({6, 0, 0, 0, 0, 0xc0, 0, 0, 0, 5}) + "HELLO");
  EXPECT_TRUE(poll_until([&] { return stranger.is_shut(); }, 10s, server));
  EXPECT_LT(address_space_bytes(), before + 256 * 1024 * 1024);
}

TEST(ZmqAdmission, A2_EachFrameIsOfTheKeyThatSentIt) {
  // A ROUTER's first part loses its User-Id when the socket was asked for its events in between, as it is
  // before each wait: the key has to come from the payload's part.
  Peer server;
  Peer one("");
  Peer two("");
  const ConnectionId of_one = one.dial(server);
  const ConnectionId of_two = two.dial(server);
  constexpr std::size_t each = 300;
  for (std::size_t i = 0; i < each; ++i) {
    const auto said = [&](Peer& peer, ConnectionId connection, const char* text) {
      return poll_until([&] { return peer.transport->send(connection, text) == SendOutcome::sent; }, 10s,
                        server, one, two);
    };
    ASSERT_TRUE(said(one, of_one, "one"));
    ASSERT_TRUE(said(two, of_two, "two"));
    if (i % 50 == 0) poll_until([] { return false; }, 2ms, server, one, two);
  }
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 2 * each; }, 10s, server, one, two));
  for (const Peer::Frame& frame : server.frames)
    ASSERT_EQ(frame.key, frame.bytes == "one" ? one.key : two.key);
}

TEST(ZmqAdmission, WhoWasDeniedGetsInByAnotherDialOnceItMay) {
  // A socket of libzmq that was answered 400 never tries again by itself, and neither does its endpoint.
  Peer server;
  Peer client("");
  server.transport->revoke(client.key, system_clock().unix_us() / 1'000'000 + 2);
  const ConnectionId denied = client.dial(server);
  ASSERT_TRUE(poll_until([&] { return client.closed.size() == 1; }, 5s, client, server));
  EXPECT_TRUE(client.was_closed(denied, CloseReason::denied));
  const auto dial_again = [&] {
    client.transport->send(client.dial(server), "hello");
    const std::size_t before = client.closed.size();
    return poll_until([&] { return !server.frames.empty() || client.closed.size() > before; }, 5s, client,
                      server);
  };
  while (server.frames.empty()) {
    ASSERT_TRUE(dial_again());
    ASSERT_LT(client.closed.size(), 5'000U);
    if (server.frames.empty()) std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(server.frames[0].bytes, "hello");
}

TEST(ZmqAdmission, WhoIsDeniedIsNamedInTheLogAndCannotFillIt) {
  // What the socket's own events tell has neither key nor address.
  ToldLog log;
  Peer server;
  Peer client("");
  server.transport->revoke(client.key, std::numeric_limits<std::int64_t>::max());
  for (std::size_t i = 1; i <= 20; ++i) {
    client.dial(server);
    ASSERT_TRUE(poll_until([&] { return client.closed.size() == i; }, 5s, client, server));
  }
  EXPECT_TRUE(log.says("refused a connection from 127.0.0.1 (key " + short_fingerprint(client.key) + ")"));
  const std::string text = log.text();
  std::size_t lines = 0;
  for (std::size_t at = text.find("refused"); at != std::string::npos; at = text.find("refused", at + 1))
    ++lines;
  EXPECT_LE(lines, 3U) << "one a second";
}

}  // namespace
}  // namespace cobus::link
