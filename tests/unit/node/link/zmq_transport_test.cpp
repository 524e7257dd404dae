// SPDX-License-Identifier: Apache-2.0
//
// ZmqTransport over real sockets on loopback: frames, keys, and every way in which a connection ends.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/node/link/zmq_peer.hpp"

namespace cobus::link {
namespace {

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

// A plain TCP server on a free port of loopback.
class PlainServer {
 public:
  explicit PlainServer(bool listen) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const int yes = 1;
    ::setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    ::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size);
    if (listen) ::listen(descriptor_, 16);
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
    endpoint_ = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~PlainServer() { stop(); }
  void stop() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  [[nodiscard]] int accept() const { return ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC); }
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

 private:
  int descriptor_;
  std::string endpoint_;
};

TEST(ZmqTransport, CarriesFramesBothWaysOnOneConnection) {
  Peer server;
  Peer client("");
  server.answer = [&](ConnectionId connection, std::string_view bytes) {
    EXPECT_EQ(server.transport->send(connection, "re: " + std::string(bytes)), SendOutcome::sent);
  };
  const ConnectionId dialled = client.dial(server);
  EXPECT_EQ(client.transport->send(dialled, "early"), SendOutcome::sent);  // before the handshake
  ASSERT_TRUE(poll_until([&] { return client.frames.size() == 1; }, 5s, client, server));
  EXPECT_EQ(client.transport->send(dialled, ""), SendOutcome::sent);
  ASSERT_TRUE(poll_until([&] { return client.frames.size() == 2; }, 5s, client, server));

  EXPECT_EQ(client.opened, std::vector{dialled});
  EXPECT_EQ(client.frames[0].bytes, "re: early");
  EXPECT_EQ(client.frames[1].bytes, "re: ");
  EXPECT_EQ(client.frames[1].connection, dialled);
  EXPECT_EQ(client.frames[1].key, server.key);
  ASSERT_EQ(server.frames.size(), 2U);
  EXPECT_EQ(server.frames[0].key, client.key);
  EXPECT_EQ(server.frames[0].connection, server.frames[1].connection);
  EXPECT_TRUE(server.opened.empty());
}

TEST(ZmqTransport, KeepsTheOrderOfManyFrames) {
  Peer server;
  Peer client("");
  const ConnectionId dialled = client.dial(server);
  int sent = 0;
  const auto push = [&] {
    while (sent < 20'000 && client.transport->send(dialled, std::to_string(sent)) == SendOutcome::sent)
      ++sent;
    return server.frames.size() == 20'000;
  };
  ASSERT_TRUE(poll_until(push, 20s, client, server));
  for (int i = 0; i < 20'000; ++i)
    ASSERT_EQ(server.frames[static_cast<std::size_t>(i)].bytes, std::to_string(i));
}

TEST(ZmqTransport, SendsWithoutACopyAndLetsGoOfWhatHasGone) {
  Peer server;
  Peer client("");
  const ConnectionId dialled = client.dial(server);
  const auto frame = std::make_shared<const std::string>(100'000, 'x');
  EXPECT_EQ(client.transport->send_shared(dialled, frame), SendOutcome::sent);
  EXPECT_GT(frame.use_count(), 1) << "nobody is there yet";
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 1; }, 5s, client, server));
  EXPECT_EQ(server.frames[0].bytes, *frame);
  EXPECT_TRUE(poll_until([&] { return frame.use_count() == 1; }, 5s, client, server));

  EXPECT_EQ(client.transport->send_shared(dialled, frame), SendOutcome::sent);
  client.transport->close(dialled);
  EXPECT_EQ(client.transport->send_shared(dialled, frame), SendOutcome::gone);
  EXPECT_TRUE(poll_until([&] { return frame.use_count() == 1; }, 5s, client, server))
      << "also when it is over";
}

TEST(ZmqTransport, AShareOfAFrameKeepsItsBytesBeyondTheNext) {
  Peer server;
  Peer client("");
  std::vector<std::pair<std::string_view, std::shared_ptr<const void>>> kept;
  server.look = [&](FrameIn frame) {
    kept.emplace_back(frame.bytes(), frame.share());
    EXPECT_EQ(frame.share(), kept.back().second) << "one share of a frame, however often it is asked for";
  };
  const ConnectionId dialled = client.dial(server);
  for (const char fill : {'a', 'b', 'c'})
    EXPECT_EQ(client.transport->send(dialled, std::string(10'000, fill)), SendOutcome::sent);
  ASSERT_TRUE(poll_until([&] { return kept.size() == 3; }, 5s, client, server));
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(kept[i].first, std::string(10'000, static_cast<char>('a' + i)));
}

TEST(ZmqTransport, SaysThatAQueueIsFullInsteadOfDropping) {
  Peer server;
  Peer client("");
  const ConnectionId dialled = client.dial(server);
  ASSERT_TRUE(poll_until([&] { return client.opened.size() == 1; }, 5s, client, server));
  const std::string frame(256 * 1024, 'x');
  std::size_t sent = 0;
  while (client.transport->send(dialled, frame) == SendOutcome::sent) ASSERT_LT(++sent, 10'000U);
  EXPECT_EQ(client.transport->send(dialled, frame), SendOutcome::would_block);
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == sent; }, 20s, client, server));
  EXPECT_EQ(client.transport->send(dialled, frame), SendOutcome::sent);
}

TEST(ZmqTransport, TellsSeveralDialsToOneEndpointApart) {
  Peer server;
  Peer client("");
  const ConnectionId first = client.dial(server);
  const ConnectionId second = client.dial(server);
  const ConnectionId wrong = *client.transport->dial(server.transport->listening(), make_curve_pair().key);
  client.transport->send(first, "first");
  client.transport->send(second, "second");
  ASSERT_TRUE(
      poll_until([&] { return server.frames.size() == 2 && client.closed.size() == 1; }, 5s, client, server));
  EXPECT_TRUE(client.was_closed(wrong, CloseReason::handshake_failed));
  EXPECT_NE(server.frames[0].connection, server.frames[1].connection);

  client.transport->close(first);
  ASSERT_TRUE(poll_until([&] { return server.closed.size() == 1; }, 5s, client, server));
  EXPECT_EQ(client.transport->send(first, "gone"), SendOutcome::gone);
  EXPECT_EQ(client.transport->send(second, "still here"), SendOutcome::sent);
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 3; }, 5s, client, server));
  EXPECT_EQ(server.frames[2].bytes, "still here");
  EXPECT_EQ(client.closed.size(), 1U);
}

TEST(ZmqTransport, FailsTheHandshakeWithTheHolderOfAnotherKey) {
  Peer server;
  Peer client("");
  const ConnectionId dialled = *client.transport->dial(server.transport->listening(), make_curve_pair().key);
  client.transport->send(dialled, "secret");
  ASSERT_TRUE(poll_until([&] { return !client.closed.empty(); }, 5s, client, server));
  EXPECT_TRUE(client.was_closed(dialled, CloseReason::handshake_failed));
  EXPECT_TRUE(client.opened.empty());
  EXPECT_TRUE(server.frames.empty());
  EXPECT_TRUE(server.closed.empty());
}

TEST(ZmqTransport, ReportsARefusalSoonAndConnectsOnceSomebodyListens) {
  PlainServer reserved(false);
  Peer client("");
  const auto start = std::chrono::steady_clock::now();
  const ConnectionId refused = *client.transport->dial(reserved.endpoint(), make_curve_pair().key);
  ASSERT_TRUE(poll_until([&] { return !client.closed.empty(); }, 5s, client));
  EXPECT_TRUE(client.was_closed(refused, CloseReason::refused));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 200ms);

  reserved.stop();
  Peer server(reserved.endpoint());
  const ConnectionId dialled = client.dial(server);
  client.transport->send(dialled, "hello");
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 1; }, 5s, client, server));
  EXPECT_EQ(client.closed.size(), 1U);
}

TEST(ZmqTransport, SurvivesAServerThatSpeaksHttp) {
  PlainServer http(true);
  Peer client("");
  const ConnectionId confused = *client.transport->dial(http.endpoint(), make_curve_pair().key);
  std::thread server_thread([&] {
    const int connection = http.accept();
    constexpr std::string_view answer =
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>no</html>\r\n\r\n";
    EXPECT_EQ(::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(answer.size()));
    std::array<char, 256> ignored{};
    while (::recv(connection, ignored.data(), ignored.size(), 0) > 0) {
    }
    ::close(connection);
  });
  ASSERT_TRUE(poll_until([&] { return !client.closed.empty(); }, 10s, client));
  server_thread.join();
  EXPECT_TRUE(client.was_closed(confused, CloseReason::handshake_failed) ||
              client.was_closed(confused, CloseReason::timed_out));
  http.stop();

  Peer server(http.endpoint());
  client.transport->send(client.dial(server), "hello");
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 1; }, 5s, client, server));
}

TEST(ZmqTransport, GivesUpOnAServerThatSaysNothing) {
  PlainServer silent(true);
  ManualClock clock;
  ZmqTransportOptions options{
      .own = make_curve_pair(), .listen = "", .access = {}, .test_door = true, .clock = &clock};
  Peer client("");
  client.transport = std::move(*ZmqTransport::open(options));
  const ConnectionId dialled = *client.transport->dial(silent.endpoint(), make_curve_pair().key);
  const int left_alone = silent.accept();
  client.transport->poll(client, 10ms);
  EXPECT_TRUE(client.closed.empty());
  clock.advance(limits::handshake_timeout);
  client.transport->poll(client, 1s);
  EXPECT_TRUE(client.was_closed(dialled, CloseReason::timed_out));
  ::close(left_alone);
}

TEST(ZmqTransport, ReportsTheEndOfAPeerOnBothSides) {
  Peer server;
  {
    Peer client("");
    client.transport->send(client.dial(server), "hello");
    ASSERT_TRUE(poll_until([&] { return server.frames.size() == 1; }, 5s, client, server));
  }
  ASSERT_TRUE(poll_until([&] { return !server.closed.empty(); }, 5s, server));
  EXPECT_TRUE(server.was_closed(server.frames[0].connection, CloseReason::disconnected));
  EXPECT_EQ(server.transport->send(server.frames[0].connection, "anybody?"), SendOutcome::gone);

  Peer client("");
  ConnectionId dialled{};
  {
    Peer brief;
    dialled = client.dial(brief);
    ASSERT_TRUE(poll_until([&] { return client.opened.size() == 1; }, 5s, client, brief));
  }
  ASSERT_TRUE(poll_until([&] { return !client.closed.empty(); }, 5s, client));
  EXPECT_TRUE(client.was_closed(dialled, CloseReason::disconnected));
  EXPECT_EQ(client.transport->send(dialled, "anybody?"), SendOutcome::gone);
}

TEST(ZmqTransport, KeepsConnectionsApartThatShareADescriptorInTurn) {
  Peer server;
  for (std::size_t i = 1; i <= 30; ++i) {
    Peer client("");
    client.transport->send(client.dial(server), "hello " + std::to_string(i));
    // Every third leaves before the server looks again.
    const bool looks = i % 3 != 0;
    ASSERT_TRUE(poll_until([&] { return client.opened.size() == 1; }, 5s, client, server));
    if (looks) ASSERT_TRUE(poll_until([&] { return server.frames.size() == i; }, 5s, server));
  }
  ASSERT_TRUE(poll_until([&] { return server.closed.size() == 30; }, 5s, server));
  ASSERT_EQ(server.frames.size(), 30U);
  for (const auto& frame : server.frames) EXPECT_EQ(server.closed.count(frame.connection), 1U);
}

TEST(ZmqTransport, EndsAnAcceptedConnectionOnRequest) {
  Peer server;
  Peer client("");
  server.answer = [&](ConnectionId connection, std::string_view) {
    server.transport->send(connection, "last word");
    server.transport->close(connection);
  };
  const ConnectionId dialled = client.dial(server);
  client.transport->send(dialled, "hello");
  ASSERT_TRUE(poll_until([&] { return client.frames.size() == 1; }, 5s, client, server));
  EXPECT_EQ(client.frames[0].bytes, "last word");
  client.transport->send(dialled, "and another thing");
  ASSERT_TRUE(poll_until([&] { return !client.closed.empty(); }, 5s, client, server));
  EXPECT_TRUE(client.was_closed(dialled, CloseReason::disconnected));
  EXPECT_EQ(server.frames.size(), 1U);
  EXPECT_TRUE(server.closed.empty());
  EXPECT_EQ(server.transport->send(server.frames[0].connection, "more"), SendOutcome::gone);

  // The door's books still balance: the next one is served and its end is noticed.
  server.answer = nullptr;
  {
    Peer next("");
    next.transport->send(next.dial(server), "hello");
    ASSERT_TRUE(poll_until([&] { return server.frames.size() == 2; }, 5s, next, server));
  }
  ASSERT_TRUE(poll_until([&] { return server.closed.size() == 1; }, 5s, server));
}

TEST(ZmqTransport, A5_EndsTheConnectionsOfARevokedKeyAndKeepsItOut) {
  Peer server;
  Peer client("");
  const ConnectionId dialled = client.dial(server);
  client.transport->send(dialled, "hello");
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 1; }, 5s, client, server));
  server.transport->revoke(client.key, std::numeric_limits<std::int64_t>::max());
  client.transport->send(dialled, "too late");
  ASSERT_TRUE(
      poll_until([&] { return client.closed.size() == 1 && server.closed.size() == 1; }, 1s, client, server));
  EXPECT_TRUE(client.was_closed(dialled, CloseReason::disconnected));

  const ConnectionId again = client.dial(server);
  client.transport->send(again, "hello again");
  ASSERT_TRUE(poll_until([&] { return client.closed.size() == 2; }, 5s, client, server));
  EXPECT_TRUE(client.was_closed(again, CloseReason::denied)) << "it is told apart from a wrong key";
  EXPECT_EQ(server.frames.size(), 1U);
  EXPECT_EQ(server.transport->access_counts().revoked, 1U);
}

// A raw ROUTER or DEALER that breaks our rules.
class Intruder {
 public:
  Intruder(int type, const Peer& door, bool curve) : context_(std::move(*make_context())) {
    socket_.reset(zmq_socket(context_.get(), type));
    const int zero = 0;
    zmq_setsockopt(socket_.get(), ZMQ_LINGER, &zero, sizeof zero);
    if (curve) {
      const CurvePair pair = make_curve_pair();
      zmq_setsockopt(socket_.get(), ZMQ_CURVE_SERVERKEY, door.key.bytes.data(), 32);
      zmq_setsockopt(socket_.get(), ZMQ_CURVE_PUBLICKEY, pair.key.bytes.data(), 32);
      zmq_setsockopt(socket_.get(), ZMQ_CURVE_SECRETKEY, pair.secret.bytes().data(), 32);
    }
  }
  void* socket() { return socket_.get(); }
  void connect(const Peer& door) { zmq_connect(socket_.get(), door.transport->listening().c_str()); }
  void send(std::string_view part, bool more = false) {
    zmq_send(socket_.get(), part.data(), part.size(), ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
  }

 private:
  ZmqContext context_;
  ZmqSocket socket_;
};

TEST(ZmqTransport, TakesNoFrameFromAClientWithoutCurve) {
  Peer server;
  Intruder intruder(ZMQ_DEALER, server, false);
  intruder.connect(server);
  intruder.send("let me in");
  Peer friendly("");
  friendly.transport->send(friendly.dial(server), "hello");
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 1; }, 5s, server, friendly));
  const auto until = std::chrono::steady_clock::now() + 300ms;
  poll_until([&] { return std::chrono::steady_clock::now() > until; }, 1s, server);
  EXPECT_EQ(server.frames.size(), 1U);
  EXPECT_EQ(server.frames[0].bytes, "hello");
}

TEST(ZmqTransport, CutsOffWhoSendsSeveralPartsOrChoosesARoutingId) {
  Peer server;
  Intruder parts(ZMQ_DEALER, server, true);
  parts.connect(server);
  parts.send("one", true);
  parts.send("two");
  ASSERT_TRUE(poll_until([&] { return server.transport->door_counts().connections_cut == 1; }, 5s, server));
  Intruder chooser(ZMQ_DEALER, server, true);
  zmq_setsockopt(chooser.socket(), ZMQ_ROUTING_ID, "mine", 4);
  chooser.connect(server);
  chooser.send("hello");
  ASSERT_TRUE(poll_until([&] { return server.transport->door_counts().connections_cut == 2; }, 5s, server));
  EXPECT_TRUE(server.frames.empty());
  EXPECT_EQ(server.transport->door_counts().frames_refused, 2U);
}

TEST(ZmqTransport, AFrameAboveTheLimitEndsOnlyItsConnection) {
  Peer server;
  Peer client("");
  Peer bystander("");
  const ConnectionId fits = client.dial(server);
  const ConnectionId other = bystander.dial(server);
  client.transport->send(fits, std::string(limits::frame_bytes_max, 'x'));
  bystander.transport->send(other, "hello");
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 2; }, 5s, client, bystander, server));
  client.transport->send(fits, std::string(limits::frame_bytes_max + 1, 'x'));
  ASSERT_TRUE(poll_until([&] { return client.closed.size() == 1 && server.closed.size() == 1; }, 5s, client,
                         bystander, server));
  bystander.transport->send(other, "unharmed");
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 3; }, 5s, bystander, server));
  EXPECT_EQ(server.frames[2].bytes, "unharmed");
  EXPECT_TRUE(bystander.closed.empty());
}

TEST(ZmqTransport, FiveHundredRefusedDialsLeaveNoDescriptor) {
  PlainServer reserved(false);
  Peer client("");
  const auto dial_once = [&] {
    const std::size_t before = client.closed.size();
    EXPECT_TRUE(client.transport->dial(reserved.endpoint(), make_curve_pair().key));
    return poll_until([&] { return client.closed.size() > before; }, 5s, client);
  };
  ASSERT_TRUE(dial_once());
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(dial_once());
  EXPECT_EQ(client.closed.size(), 501U);
  ASSERT_TRUE(poll_until([&] { return open_descriptors() <= before; }, 5s, client));
}

TEST(ZmqTransport, AWakeFromAnotherThreadInterruptsAPoll) {
  Peer server;
  server.transport->poll(server, 0ms);
  for (int i = 0; i < 20; ++i) {
    std::thread waker([&] {
      std::this_thread::sleep_for(2ms);
      server.transport->wake();
      server.transport->wake();
    });
    const auto start = std::chrono::steady_clock::now();
    server.transport->poll(server, 10s);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
    waker.join();
    server.transport->poll(server, 0ms);
  }
  server.transport->wake();  // before the poll: the next one returns at once
  const auto start = std::chrono::steady_clock::now();
  server.transport->poll(server, 10s);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(ZmqTransport, AnIdlePollWaitsAndUsesNoProcessor) {
  Peer server;
  Peer client("");
  client.transport->send(client.dial(server), "hello");
  ASSERT_TRUE(poll_until([&] { return server.frames.size() == 1; }, 5s, client, server));
  server.transport->send(server.frames[0].connection, "hello yourself");
  const std::clock_t used = std::clock();
  const auto start = std::chrono::steady_clock::now();
  server.transport->poll(server, 300ms);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 290ms);
  EXPECT_LT(std::clock() - used, CLOCKS_PER_SEC / 20);
}

TEST(ZmqTransport, TestsThatItsDoorRefusesStrangers) {
  Peer server(free_port, true);
  Peer everywhere("tcp://0.0.0.0:0", true);
  EXPECT_EQ(server.transport->access_counts().admitted, 0U);
  EXPECT_TRUE(everywhere.transport->listening().starts_with("tcp://0.0.0.0:"));
}

TEST(ZmqTransport, SaysWhyItCannotListen) {
  Peer first;
  ZmqTransportOptions taken{.own = make_curve_pair(), .listen = first.transport->listening(), .access = {}};
  EXPECT_EQ(ZmqTransport::open(taken).error().code(), Code::unavailable);
  for (const char* listen :
       {"tcp://localhost:1", "127.0.0.1:1", "tcp://127.0.0.1", "ipc:///tmp/x", "tcp://1.2.3:4"}) {
    ZmqTransportOptions wrong{.own = make_curve_pair(), .listen = listen, .access = {}};
    EXPECT_EQ(ZmqTransport::open(wrong).error().code(), Code::invalid_argument) << listen;
  }
  for (const char* endpoint :
       {"tcp://localhost:1", "tcp://127.0.0.1:0", "tcp://127.0.0.1:1_2", "inproc://x"}) {
    EXPECT_EQ(first.transport->dial(endpoint, first.key).error().code(), Code::invalid_argument) << endpoint;
  }
}

}  // namespace
}  // namespace cobus::link
