// SPDX-License-Identifier: Apache-2.0
#include "node/link/zmq_message.hpp"

#include <cerrno>
#include <cstring>

namespace cobus::link {
namespace {

int send_part(void* socket, std::string_view bytes, int flags) noexcept {
  for (;;) {
    const int sent = zmq_send(socket, bytes.data(), bytes.size(), flags | ZMQ_DONTWAIT);
    if (sent >= 0 || errno != EINTR) return sent;
  }
}

}  // namespace

bool ZmqMessage::receive(void* socket) noexcept {
  for (;;) {
    if (zmq_msg_recv(&message_, socket, ZMQ_DONTWAIT) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

std::string_view ZmqMessage::property(const char* name) const noexcept {
  const char* value = zmq_msg_gets(&message_, name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

int ZmqMessage::descriptor() const noexcept { return zmq_msg_get(&message_, ZMQ_SRCFD); }

Received receive_frame(void* router, ZmqMessage& routing_id, ZmqMessage& frame) noexcept {
  if (!routing_id.receive(router)) return Received::nothing;
  if (!routing_id.more() || !frame.receive(router)) return Received::malformed;
  if (!frame.more()) return Received::frame;
  ZmqMessage rest;
  while (rest.receive(router) && rest.more()) {
  }
  return Received::malformed;
}

SendOutcome send_frame(void* router, std::string_view routing_id, std::string_view frame) noexcept {
  if (send_part(router, routing_id, ZMQ_SNDMORE) < 0) {
    return errno == EAGAIN ? SendOutcome::would_block : SendOutcome::gone;
  }
  // Only the first part of a message can be refused for lack of room.
  return send_part(router, frame, 0) < 0 ? SendOutcome::gone : SendOutcome::sent;
}

bool receive_event(void* monitor, MonitorEvent& event) {
  ZmqMessage part;
  if (!part.receive(monitor)) return false;
  event = {};
  if (const std::string_view bytes = part.bytes(); bytes.size() == 6) {
    std::uint16_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    std::memcpy(&event.value, bytes.data() + sizeof number, sizeof event.value);
    event.event = number;
  }
  if (part.more() && part.receive(monitor)) event.endpoint = part.bytes();
  return true;
}

}  // namespace cobus::link
