// SPDX-License-Identifier: Apache-2.0
//
// One end of real sockets on loopback, for tests: a transport and everything it reported.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "node/link/zmq_transport.hpp"

namespace cobus::link {

using namespace std::chrono_literals;

inline constexpr char free_port[] = "tcp://127.0.0.1:0";

struct Peer final : TransportEvents {
  struct Frame {
    ConnectionId connection;
    CurveKey key;
    std::string bytes;
  };

  explicit Peer(const std::string& listen = free_port, bool test_door = false,
                const ArrivalLimits& arrivals = {}) {
    ZmqTransportOptions options{.own = make_curve_pair(),
                                .listen = listen,
                                .access = {},
                                .arrivals = arrivals,
                                .test_door = test_door};
    key = options.own.key;
    auto made = ZmqTransport::open(options);
    if (!made) throw std::runtime_error(made.error().to_string());
    transport = std::move(*made);
  }
  void on_open(ConnectionId connection) override { opened.push_back(connection); }
  void on_frame(ConnectionId connection, const CurveKey& sender, FrameIn frame) override {
    frames.push_back({connection, sender, std::string(frame.bytes())});
    if (answer) answer(connection, frame.bytes());
    if (look) look(frame);
  }
  void on_closed(ConnectionId connection, CloseReason reason) override { closed.emplace(connection, reason); }

  ConnectionId dial(const Peer& other) { return *transport->dial(other.transport->listening(), other.key); }
  bool was_closed(ConnectionId connection, CloseReason reason) const {
    const auto found = closed.find(connection);
    return found != closed.end() && found->second == reason;
  }

  CurveKey key;
  std::unique_ptr<ZmqTransport> transport;
  std::vector<ConnectionId> opened;
  std::vector<Frame> frames;
  std::multimap<ConnectionId, CloseReason> closed;
  std::function<void(ConnectionId, std::string_view)> answer;
  std::function<void(FrameIn)> look;
};

// Polls all of them in turn until `done`, at most `patience`.
template <class Done, class... Peers>
bool poll_until(Done done, std::chrono::milliseconds patience, Peers&... peers) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    (peers.transport->poll(peers, 1ms), ...);
  }
  return true;
}

}  // namespace cobus::link
