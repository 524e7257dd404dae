// SPDX-License-Identifier: Apache-2.0
//
// Whole frames in and out of a ROUTER socket: a routing id and exactly one part, never waiting.
// Each function retries when a signal interrupts it. Messages are reused from read to read.
#pragma once

#include <zmq.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "node/link/transport.hpp"

namespace cobus::link {

class ZmqMessage {
 public:
  ZmqMessage() noexcept { zmq_msg_init(&message_); }
  ~ZmqMessage() { zmq_msg_close(&message_); }
  ZmqMessage(const ZmqMessage&) = delete;
  ZmqMessage& operator=(const ZmqMessage&) = delete;

  // Replaces the content with the next part. False when there is none now.
  [[nodiscard]] bool receive(void* socket) noexcept;
  // It as a frame, whose bytes those who ask for a share keep beyond the next receive().
  [[nodiscard]] FrameIn frame() noexcept {
    return {bytes(), [](void* self) { return static_cast<ZmqMessage*>(self)->share(); }, this};
  }
  // Whether more parts of the same message follow.
  [[nodiscard]] bool more() const noexcept { return zmq_msg_more(&message_) != 0; }
  [[nodiscard]] std::string_view bytes() noexcept {
    return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }
  // Metadata of the connection that it came along; empty when absent. For the part that carries the
  // payload: libzmq 4.3.4 may lose it on the routing id.
  [[nodiscard]] std::string_view property(const char* name) const noexcept;
  // The descriptor that it came along, -1 when unknown.
  [[nodiscard]] int descriptor() const noexcept;

 private:
  [[nodiscard]] std::shared_ptr<const void> share();

  mutable zmq_msg_t message_;
  std::shared_ptr<ZmqMessage> shared_;  // the same content, once somebody asked
};

enum class Received : std::uint8_t {
  nothing,
  frame,
  malformed,  // not exactly one part behind the routing id; read and dropped
};
[[nodiscard]] Received receive_frame(void* router, ZmqMessage& routing_id, ZmqMessage& frame) noexcept;

// A frame that is sent: copied, or, when somebody shares its bytes, read where they are until libzmq's thread
// lets go of them.
struct FrameOut {
  std::string_view bytes;
  std::shared_ptr<const std::string> share = nullptr;
};

// For a ROUTER with ZMQ_ROUTER_MANDATORY.
[[nodiscard]] SendOutcome send_frame(void* router, std::string_view routing_id, FrameOut frame);

// The end of a connection is told when its last frames are read, but not later than this: while others never
// stop sending there may be no end of frames.
inline constexpr std::chrono::milliseconds end_told_after{100};

// One event of a socket monitor.
struct MonitorEvent {
  int event = 0;            // ZMQ_EVENT_...
  std::uint32_t value = 0;  // mostly a descriptor
  std::string endpoint;     // as it was dialled, or where the door listens
};
// False when there is none now.
[[nodiscard]] bool receive_event(void* monitor, MonitorEvent& event);

}  // namespace cobus::link
