// SPDX-License-Identifier: Apache-2.0
#include "node/link/zmq_transport.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "node/link/door_check.hpp"

namespace cobus::link {
namespace {

// Places in ready_.
enum : std::uint8_t { at_wake, at_dialler, at_dialler_monitor, at_door, at_door_monitor, at_zap, at_probes };

}  // namespace

std::string_view close_reason_text(CloseReason reason) noexcept {
  switch (reason) {
    case CloseReason::refused:
      return "nobody listens there";
    case CloseReason::handshake_failed:
      return "the peer is not who was expected, or does not speak CURVE";
    case CloseReason::denied:
      return "it does not let our key in: it was revoked; to join again, with a new token, remove the folder "
             "that the key is kept in";
    case CloseReason::disconnected:
      return "the connection ended";
    case CloseReason::timed_out:
      return "no answer";
  }
  return "unknown";
}

Result<std::unique_ptr<ZmqTransport>> ZmqTransport::open(const ZmqTransportOptions& options) {
  std::unique_ptr<ZmqTransport> transport(new ZmqTransport(options));
  transport->wake_descriptor_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (transport->wake_descriptor_ < 0) {
    return fail(Code::internal, std::string("cannot make an eventfd: ") + std::strerror(errno));
  }
  auto context = make_context();
  if (!context) return fail(std::move(context).error());
  transport->context_ = std::move(*context);
  auto dialler = ZmqDialler::open(transport->context_.get(), options.own, transport->clock_,
                                  transport->last_connection_);
  if (!dialler) return fail(std::move(dialler).error());
  transport->dialler_ = std::move(*dialler);
  if (options.listen.empty()) return transport;
  auto door = ZmqDoor::open(transport->context_.get(), options.own, options.listen, transport->access_,
                            options.arrivals, transport->clock_, transport->last_connection_);
  if (!door) return fail(std::move(door).error());
  transport->door_ = std::move(*door);
  if (options.test_door) {
    Status tested = check_door(*transport, transport->access_, transport->context_.get(), options.own.key);
    if (!tested.ok()) return fail(std::move(tested));
  }
  return transport;
}

ZmqTransport::~ZmqTransport() {
  door_.reset();
  dialler_.reset();
  context_.reset();
  if (wake_descriptor_ >= 0) ::close(wake_descriptor_);
}

Result<ConnectionId> ZmqTransport::dial(const std::string& endpoint, const CurveKey& server_key) {
  return dialler_->dial(endpoint, server_key);
}

SendOutcome ZmqTransport::send(ConnectionId connection, std::string_view frame) {
  return send_out(connection, {frame});
}

SendOutcome ZmqTransport::send_shared(ConnectionId connection, std::shared_ptr<const std::string> frame) {
  const std::string_view bytes = *frame;
  return send_out(connection, {bytes, std::move(frame)});
}

SendOutcome ZmqTransport::send_out(ConnectionId connection, FrameOut frame) {
  if (dialler_->knows(connection)) return dialler_->send(connection, std::move(frame));
  return door_ ? door_->send(connection, std::move(frame)) : SendOutcome::gone;
}

void ZmqTransport::close(ConnectionId connection) {
  dialler_->close(connection);
  if (door_) door_->close(connection);
}

void ZmqTransport::revoke(const CurveKey& key, std::int64_t until_s) {
  access_.revoke(key, until_s);
  if (door_) door_->cut(key);
}

std::string ZmqTransport::listening() const { return door_ ? door_->listening() : std::string(); }

void ZmqTransport::poll(TransportEvents& events, Duration longest) {
  wait(longest);
  if (readable(at_wake)) {
    std::uint64_t count = 0;
    static_cast<void>(::read(wake_descriptor_, &count, sizeof count));
    // A wake() from here on writes again; one that came before is answered by this return.
    woken_.exchange(false, std::memory_order_acq_rel);
  }
  if (readable(at_dialler_monitor)) dialler_->read_events(events);
  if (door_) {
    if (readable(at_zap)) door_->answer_zap();
    if (readable(at_door_monitor)) door_->read_events();
    if (readable(at_door) || readable(at_door_monitor) || door_->unread()) door_->read_frames(events);
    door_->finish(events);
  }
  if (readable(at_dialler) || readable(at_dialler_monitor) || dialler_->unread())
    dialler_->read_frames(events);
  dialler_->finish(events);
}

void ZmqTransport::wait(Duration longest) {
  const auto add = [this](int descriptor, short what) { ready_.push_back({descriptor, what, 0}); };
  ready_.clear();
  add(wake_descriptor_, POLLIN);
  add(dialler_->socket_descriptor(), POLLIN);
  add(dialler_->monitor_descriptor(), POLLIN);
  add(door_ ? door_->socket_descriptor() : -1, POLLIN);
  add(door_ ? door_->monitor_descriptor() : -1, POLLIN);
  add(door_ ? door_->zap_descriptor() : -1, POLLIN);
  probes_.clear();
  dialler_->append_probes(probes_);
  for (const int descriptor : probes_) add(descriptor, POLLOUT);

  const bool pending =
      static_cast<int>(dialler_->pending()) + static_cast<int>(door_ && door_->pending()) != 0;
  const TimePoint next = std::min(dialler_->next_deadline(), door_ ? door_->next_deadline() : never);
  Duration left = pending ? Duration::zero() : longest;
  if (next != never && left != Duration::zero()) {
    const Duration until = std::max(next - clock_.now(), Duration::zero());
    left = left < Duration::zero() ? until : std::min(left, until);
  }
  const timespec timeout{.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
  // Interrupted by a signal is as good as awake: the caller looks at its queues and polls again.
  if (::ppoll(ready_.data(), ready_.size(), left < Duration::zero() ? nullptr : &timeout, nullptr) < 0) {
    for (pollfd& entry : ready_) entry.revents = 0;
  }
}

void ZmqTransport::wake() noexcept {
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_descriptor_, &one, sizeof one));
}

}  // namespace cobus::link
