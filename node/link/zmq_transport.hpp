// SPDX-License-Identifier: Apache-2.0
//
// ZmqTransport: the Transport over TCP. Two ROUTER sockets serve any number of peers: the door that
// others dial (zmq_door.hpp) and the dialler (zmq_dialler.hpp). Every connection is CURVE, loopback
// included. It has no thread of its own but libzmq's I/O thread: whoever polls does the work, also that of
// letting peers in.
// Each transport has its own libzmq context, since the ZAP handler is one per context.
#pragma once

#include <poll.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "node/link/access.hpp"
#include "node/link/socket_factory.hpp"
#include "node/link/transport.hpp"
#include "node/link/zmq_dialler.hpp"
#include "node/link/zmq_door.hpp"
#include "node/link/zmq_message.hpp"
#include "node/runtime/descriptor_limit.hpp"

namespace cobus::link {

struct ZmqTransportOptions {
  CurvePair own;
  std::string listen;  // tcp://ADDRESS:PORT, port 0 for any that is free; empty: no door
  AccessLimits access;
  ArrivalLimits arrivals = ArrivalLimits().within(descriptor_limit());
  bool test_door = true;  // refuse to open when the door would let a stranger in
  const Clock* clock = &system_clock();
};

class ZmqTransport final : public Transport {
 public:
  // INVALID_ARGUMENT for an address that is not numeric TCP, UNAVAILABLE when it cannot be had (taken,
  // not ours), FAILED_PRECONDITION when the door failed its test, INTERNAL when libzmq is not usable.
  [[nodiscard]] static Result<std::unique_ptr<ZmqTransport>> open(const ZmqTransportOptions& options);
  // May wait up to socket_linger for what was sent last.
  ~ZmqTransport() override;

  Result<ConnectionId> dial(const std::string& endpoint, const CurveKey& server_key) override;
  SendOutcome send(ConnectionId connection, std::string_view frame) override;
  SendOutcome send_shared(ConnectionId connection, std::shared_ptr<const std::string> frame) override;
  void close(ConnectionId connection) override;
  void revoke(const CurveKey& key, std::int64_t until_s) override;
  void poll(TransportEvents& events, Duration longest) override;
  void wake() noexcept override;
  [[nodiscard]] std::string listening() const override;

  [[nodiscard]] const AccessCounts& access_counts() const noexcept { return access_.counts(); }
  [[nodiscard]] DoorCounts door_counts() const noexcept { return door_ ? door_->counts() : DoorCounts{}; }

 private:
  explicit ZmqTransport(const ZmqTransportOptions& options)
      : clock_(*options.clock), access_(options.access, *options.clock) {}
  // Fills ready_; what it says decides which sockets are read.
  [[nodiscard]] SendOutcome send_out(ConnectionId connection, FrameOut frame);
  void wait(Duration longest);
  [[nodiscard]] bool readable(std::size_t index) const noexcept { return ready_[index].revents != 0; }

  const Clock& clock_;
  Access access_;
  std::uint64_t last_connection_ = 0;
  ZmqContext context_;  // before the sockets, so it ends after them
  std::unique_ptr<ZmqDialler> dialler_;
  std::unique_ptr<ZmqDoor> door_;
  int wake_descriptor_ = -1;
  std::atomic<bool> woken_{false};
  std::vector<pollfd> ready_;
  std::vector<int> probes_;
};

}  // namespace cobus::link
