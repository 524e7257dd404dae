// SPDX-License-Identifier: Apache-2.0
//
// Transport: connections that carry whole frames between two processes, each end of which proved
// a key. The seam below the session: ZeroMQ (zmq_transport.hpp) or the simulator's network.
// It moves bytes and reports what became of connections; it does not retry, resend or decide who
// is welcome beyond the proof of a key. All calls but wake() are made by one thread at a time
// (the link loop's lock is held).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "node/link/frame_in.hpp"
#include "node/link/keys.hpp"
#include "node/runtime/clock.hpp"
#include "proto/status.hpp"

namespace cobus::link {

// Names one connection attempt or accepted connection. Never reused within a process.
enum class ConnectionId : std::uint64_t { none = 0 };

enum class SendOutcome : std::uint8_t {
  sent,         // handed over; it may still be lost with the connection
  would_block,  // the connection's queue is full: try again after the next poll; nothing was taken
  gone,         // the connection is over; nothing was taken
};

enum class CloseReason : std::uint8_t {
  refused,           // nobody listens there: the process is gone, its host alive
  handshake_failed,  // somebody listens, but is not who we expect, or does not speak CURVE
  denied,            // who listens lets our key in no more
  disconnected,      // it was up and ended
  timed_out,         // no answer to the dial or the handshake
};
[[nodiscard]] std::string_view close_reason_text(CloseReason reason) noexcept;

// What a poll reports. Called inside poll(), on the polling thread, in the order of events. A
// handler may call send(), dial() and close().
class TransportEvents {
 public:
  virtual ~TransportEvents() = default;
  // The handshake of a dialled connection is done and frames may be sent. (An accepted connection
  // announces itself by its first frame.) Frames sent before this are queued by the transport.
  virtual void on_open(ConnectionId connection) = 0;
  // A frame arrived. `key` is what the peer proved.
  virtual void on_frame(ConnectionId connection, const CurveKey& key, FrameIn frame) = 0;
  // The connection is over, exactly once for each dialled one and each that delivered a frame,
  // unless close() was called on it.
  virtual void on_closed(ConnectionId connection, CloseReason reason) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Starts one attempt to connect to `endpoint` (tcp://NUMERIC-ADDRESS:PORT), accepting only the
  // holder of `server_key`. Returns at once; on_open or on_closed follows. INVALID_ARGUMENT for an
  // endpoint that is not numeric TCP.
  virtual Result<ConnectionId> dial(const std::string& endpoint, const CurveKey& server_key) = 0;

  // Copies `frame` (at most limits::frame_bytes_max).
  virtual SendOutcome send(ConnectionId connection, std::string_view frame) = 0;
  // The same without a copy where it can be: holds the frame until it has been read, which nobody may change
  // before.
  virtual SendOutcome send_shared(ConnectionId connection, std::shared_ptr<const std::string> frame) {
    return send(connection, *frame);
  }

  // Ends a connection without an on_closed. Unknown ids are ignored. What was sent just before may
  // or may not arrive.
  virtual void close(ConnectionId connection) = 0;

  // Keeps `key` out until `until_s` (Unix seconds) and ends the connections that it made to us, which are
  // reported as disconnected. Those that we made to it are for the caller to close. Nothing where there is no
  // door, or none that looks: then the first frame decides.
  virtual void revoke(const CurveKey& /*key*/, std::int64_t /*until_s*/) {}

  // Waits up to `longest` (0 = only looks, negative = for ever) for something to happen, then
  // reports everything that is there, bounded by a byte budget. Returns early after wake().
  virtual void poll(TransportEvents& events, Duration longest) = 0;

  // Makes a poll() that is waiting, or else the next one, return at once. Any thread.
  virtual void wake() noexcept = 0;

  // Where peers may dial, tcp://ADDRESS:PORT with the real port; empty without a door.
  [[nodiscard]] virtual std::string listening() const = 0;
};

}  // namespace cobus::link
