// SPDX-License-Identifier: Apache-2.0
#include "node/link/zmq_message.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "node/runtime/check.hpp"

namespace cobus::link {
namespace {

int send(void* socket, zmq_msg_t& message, int flags) noexcept {
  for (;;) {
    const int sent = zmq_msg_send(&message, socket, flags | ZMQ_DONTWAIT);
    if (sent >= 0 || errno != EINTR) return sent;
  }
}

// False when there is no memory.
bool make_copy(zmq_msg_t& message, std::string_view bytes) noexcept {
  if (zmq_msg_init_size(&message, bytes.size()) != 0) return false;
  if (!bytes.empty()) std::memcpy(zmq_msg_data(&message), bytes.data(), bytes.size());
  return true;
}

// What libzmq's thread lets go of. That it was made before is for the two to agree on, and for tools to see:
// what libzmq does to hand it over they do not.
class Held {
 public:
  explicit Held(std::shared_ptr<const std::string> share) noexcept : share_(std::move(share)) {
    made_.store(true, std::memory_order_release);
  }
  static void let_go(const Held* held) noexcept {
    if (held->made_.load(std::memory_order_acquire)) delete held;
  }

 private:
  std::shared_ptr<const std::string> share_;
  std::atomic<bool> made_{false};
};

bool make(zmq_msg_t& message, FrameOut frame) {
  if (frame.share == nullptr) return make_copy(message, frame.bytes);
  auto held = std::make_unique<Held>(std::move(frame.share));
  const auto let_go = [](void* /*data*/, void* hint) { Held::let_go(static_cast<Held*>(hint)); };
  // It is only read.
  if (zmq_msg_init_data(&message, const_cast<char*>(frame.bytes.data()), frame.bytes.size(), let_go,
                        held.get()) != 0)
    return false;
  static_cast<void>(held.release());
  return true;
}

}  // namespace

bool ZmqMessage::receive(void* socket) noexcept {
  shared_.reset();
  for (;;) {
    if (zmq_msg_recv(&message_, socket, ZMQ_DONTWAIT) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

// libzmq counts who has a content, unless it is so small that it lies in the message itself.
std::shared_ptr<const void> ZmqMessage::share() {
  if (shared_ == nullptr) {
    auto copy = std::make_shared<ZmqMessage>();
    if (zmq_msg_copy(&copy->message_, &message_) != 0) throw std::bad_alloc();
    COBUS_CHECK(copy->bytes().data() == bytes().data());
    shared_ = std::move(copy);
  }
  return shared_;
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

SendOutcome send_frame(void* router, std::string_view routing_id, FrameOut frame) {
  // Both before the first goes: what is left half said would go on with the next frame, to the same peer.
  zmq_msg_t content;
  if (!make(content, std::move(frame))) return SendOutcome::gone;
  zmq_msg_t id;
  if (!make_copy(id, routing_id)) {
    zmq_msg_close(&content);
    return SendOutcome::gone;
  }
  // Only the first part of a message can be refused for lack of room.
  if (send(router, id, ZMQ_SNDMORE) < 0) {
    const bool full = errno == EAGAIN;
    zmq_msg_close(&id);
    zmq_msg_close(&content);
    return full ? SendOutcome::would_block : SendOutcome::gone;
  }
  if (send(router, content, 0) >= 0) return SendOutcome::sent;
  zmq_msg_close(&content);
  return SendOutcome::gone;
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
