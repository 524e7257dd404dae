// SPDX-License-Identifier: Apache-2.0
//
// ZmqDialler: the connections that this process makes, all through one ROUTER socket. libzmq never
// redials: it would go on to an incarnation that is gone, and stops for good after a peer that it
// finds confusing. Here each dial is one attempt with a routing id and an endpoint that no other
// attempt has, and it is taken back (zmq_disconnect) when it ends.
//
// Why endpoints are tagged: monitor events name nothing but the endpoint as it was dialled, and
// zmq_disconnect ends every attempt of the same text. libzmq reads a port up to its first
// non-digit, so tcp://10.0.0.7:7700_42 is attempt 42 to port 7700, told apart in both directions.
// Part of ZmqTransport; used under the link loop's lock.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "node/link/reach_probe.hpp"
#include "node/link/socket_factory.hpp"
#include "node/link/transport.hpp"
#include "node/link/zmq_message.hpp"

namespace cobus::link {

class ZmqDialler {
 public:
  // `last_connection` numbers the connections of the whole transport.
  [[nodiscard]] static Result<std::unique_ptr<ZmqDialler>> open(void* context, const CurvePair& own,
                                                                const Clock& clock,
                                                                std::uint64_t& last_connection);

  ~ZmqDialler();

  [[nodiscard]] Result<ConnectionId> dial(const std::string& endpoint, const CurveKey& server_key);
  [[nodiscard]] bool knows(ConnectionId connection) const { return dials_.contains(connection); }
  [[nodiscard]] SendOutcome send(ConnectionId connection, FrameOut frame);
  void close(ConnectionId connection);

  // Descriptors to wait for, and whether there is work that none of them announces.
  [[nodiscard]] int socket_descriptor() const noexcept { return socket_descriptor_; }
  [[nodiscard]] int monitor_descriptor() const noexcept { return monitor_descriptor_; }
  void append_probes(std::vector<int>& descriptors) const;
  [[nodiscard]] bool pending();
  [[nodiscard]] bool unread() const noexcept { return pending_ || !disconnected_.empty(); }
  [[nodiscard]] TimePoint next_deadline();

  // The work of one poll, to be called in this order. Each may be skipped when its descriptor is
  // silent; read_frames not while something is pending().
  void read_events(TransportEvents& events);
  void read_frames(TransportEvents& events);
  void finish(TransportEvents& events);

 private:
  struct Dial {
    std::string endpoint;
    CurveKey server_key;
    TimePoint deadline;
    bool open = false;
    bool denied = false;
    std::optional<ReachProbe> probe;  // since TCP failed
  };

  ZmqDialler(const Clock& clock, std::uint64_t& last_connection)
      : clock_(clock), last_connection_(last_connection) {}
  void take_event(const MonitorEvent& event, TransportEvents& events);
  void open_dial(ConnectionId connection, Dial& dial, TransportEvents& events);
  void end_dial(ConnectionId connection, CloseReason reason, TransportEvents& events);
  void forget(ConnectionId connection);

  const Clock& clock_;
  std::uint64_t& last_connection_;
  ZmqSocket socket_;
  ZmqSocket monitor_;
  int socket_descriptor_ = -1;
  int monitor_descriptor_ = -1;
  bool pending_ = true;  // the socket may hold frames, whatever its descriptor says
  std::unordered_map<ConnectionId, Dial> dials_;
  std::deque<std::pair<TimePoint, ConnectionId>> deadlines_;
  std::vector<ConnectionId> probing_;
  // To be reported once their last frames are read, or after end_told_after; with when that was read.
  std::deque<std::pair<TimePoint, ConnectionId>> disconnected_;
  ZmqMessage routing_id_;
  ZmqMessage frame_;
};

}  // namespace cobus::link
