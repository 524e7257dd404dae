// SPDX-License-Identifier: Apache-2.0
//
// ZmqDoor: the connections that others make to this process, through one bound ROUTER socket, and
// the ZAP handler in front of it. A peer is who its CURVE key says, read from the metadata of
// each frame; routing ids are libzmq's own and a peer that chooses one is refused.
//
// Which connection ended: monitor events carry the descriptor, and so does every frame. Descriptors
// are reused, so acceptances per descriptor are counted: the n-th DISCONNECTED of a descriptor ends its
// n-th ACCEPTED. libzmq cannot end one connection of a ROUTER, so the door shuts the TCP connection
// down itself, through a duplicate of the descriptor that is proven to be still the same one.
// Who was accepted and sends no frame is cut off: see arrivals.hpp.
// Part of ZmqTransport; used under the link loop's lock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node/link/access.hpp"
#include "node/link/arrivals.hpp"
#include "node/link/socket_factory.hpp"
#include "node/link/transport.hpp"
#include "node/link/zmq_message.hpp"
#include "node/runtime/reminder.hpp"

namespace cobus::link {

struct DoorCounts {
  std::uint64_t frames_refused = 0;   // malformed, without a proven key, or of a connection that is over
  std::uint64_t connections_cut = 0;  // ended by us
};

class ZmqDoor {
 public:
  // Starts the handler, then binds `listen`. UNAVAILABLE when the address cannot be had.
  [[nodiscard]] static Result<std::unique_ptr<ZmqDoor>> open(void* context, const CurvePair& own,
                                                             const std::string& listen, Access& access,
                                                             const ArrivalLimits& arrivals,
                                                             const Clock& clock,
                                                             std::uint64_t& last_connection);

  ~ZmqDoor();

  [[nodiscard]] SendOutcome send(ConnectionId connection, FrameOut frame);
  // Refuses what still comes at once; the TCP connection is shut after socket_linger, so a last word can
  // leave.
  void close(ConnectionId connection);
  // Ends every connection of a key at once; they are reported as disconnected.
  void cut(const CurveKey& key);

  [[nodiscard]] int socket_descriptor() const noexcept { return socket_descriptor_; }
  [[nodiscard]] int monitor_descriptor() const noexcept { return monitor_descriptor_; }
  [[nodiscard]] int zap_descriptor() const noexcept { return zap_descriptor_; }
  // Whether there is work that no descriptor announces.
  [[nodiscard]] bool pending();
  [[nodiscard]] bool unread() const noexcept { return pending_ || !ended_.empty(); }
  [[nodiscard]] TimePoint next_deadline() const {
    return std::min(cuts_.empty() ? never : cuts_.front().at, arrivals_.next_due());
  }
  [[nodiscard]] const std::string& listening() const noexcept { return listening_; }
  [[nodiscard]] const DoorCounts& counts() const noexcept { return counts_; }

  // The work of one poll, to be called in this order.
  void answer_zap();
  void read_events();
  void read_frames(TransportEvents& events);
  void finish(TransportEvents& events);

 private:
  using RoutingId = std::uint32_t;  // behind a zero byte; counts up with each connection
  enum class State : std::uint8_t {
    up,
    refused,  // nothing more is taken from it; its end is reported
    closing,  // nothing more is taken from it; its end is not reported
    over,     // kept for a while, to know its late frames
  };
  struct Peer {
    ConnectionId connection = ConnectionId::none;
    int descriptor = -1;
    std::uint64_t acceptance = 0;
    std::string user_id;
    CurveKey key;
    State state = State::up;
  };
  struct Descriptor {
    std::uint64_t accepted = 0;  // events read
    std::uint64_t ended = 0;
    std::uint64_t finished = 0;  // ends acted upon
  };
  struct Cut {
    TimePoint at;
    Acceptance acceptance;
  };

  ZmqDoor(Access& access, const ArrivalLimits& arrivals, const Clock& clock, std::uint64_t& last_connection)
      : access_(access), clock_(clock), last_connection_(last_connection), arrivals_(arrivals) {}
  void take_frame(TransportEvents& events);
  Peer* admit(RoutingId id, TransportEvents& events);
  void end_peer(RoutingId id, TransportEvents& events);
  void refuse_frame();
  void shut(const Acceptance& acceptance);
  void cut_silent();
  void begin_acceptance(int descriptor, Descriptor& counts);
  void end_acceptance(int descriptor, Descriptor& counts);

  Access& access_;
  const Clock& clock_;
  std::uint64_t& last_connection_;
  ZmqSocket zap_;
  ZmqSocket socket_;
  ZmqSocket monitor_;
  int zap_descriptor_ = -1;
  int socket_descriptor_ = -1;
  int monitor_descriptor_ = -1;
  std::string listening_;
  bool pending_ = true;  // the socket may hold frames, whatever its descriptor says
  std::unordered_map<RoutingId, Peer> peers_;
  std::unordered_map<ConnectionId, RoutingId> connections_;
  std::unordered_map<int, Descriptor> descriptors_;
  std::map<Acceptance, RoutingId> holders_;
  // To be reported once their last frames are read, or after end_told_after; with when that was read.
  std::deque<std::pair<TimePoint, Acceptance>> ended_;
  std::deque<Cut> cuts_;
  std::size_t open_ = 0;  // accepted and not ended
  Arrivals arrivals_;
  std::vector<Acceptance> unwelcome_;  // there was no room for them
  Reminder silence_{std::chrono::seconds(30)};
  std::deque<RoutingId> over_;
  DoorCounts counts_;
  ZmqMessage routing_id_;
  ZmqMessage frame_;
};

}  // namespace cobus::link
