// SPDX-License-Identifier: Apache-2.0
//
// The one place where ZeroMQ sockets are made, so that every option that keeps a socket safe is set
// on every socket, before it is bound or connected. Measured reasons stand beside each option in
// socket_factory.cpp; a test reads all of them back.
// Handles are closed by their owner; sockets before their context. One thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "node/link/keys.hpp"
#include "proto/limits.hpp"

namespace cobus::link {

struct ZmqContextCloser {
  void operator()(void* context) const noexcept;
};
struct ZmqSocketCloser {
  void operator()(void* socket) const noexcept;
};
using ZmqContext = std::unique_ptr<void, ZmqContextCloser>;
using ZmqSocket = std::unique_ptr<void, ZmqSocketCloser>;

inline constexpr char zap_domain[] = "cobus";
// ZMQ_ZAP_ENFORCE_DOMAIN. Hidden behind the draft macro in zmq.h, yet honoured by the library.
inline constexpr int zap_enforce_domain_option = 93;
// In messages, each way and connection. Bytes are bounded above, by the session.
inline constexpr int socket_queue_frames = 256;
inline constexpr std::int64_t socket_message_bytes_max =
    static_cast<std::int64_t>(limits::frame_bytes_max + limits::curve_overhead_bytes);
// How long what was sent before a close may still leave.
inline constexpr std::chrono::milliseconds socket_linger{500};

// INTERNAL with libzmq's text in all of these when the library refuses; that means too few
// descriptors or a libzmq that is not what we know.
[[nodiscard]] Result<ZmqContext> make_context();

// The ROUTER that peers dial: CURVE server, and nobody gets in unless the ZAP handler says so.
[[nodiscard]] Result<ZmqSocket> make_door(void* context, const CurvePair& own, bool ipv6);

// The ROUTER that dials. The server key and the routing id are set before each connect.
[[nodiscard]] Result<ZmqSocket> make_dialler(void* context, const CurvePair& own);

// The ZAP handler's socket, bound. To be made before any door.
[[nodiscard]] Result<ZmqSocket> make_zap(void* context);

// Starts to watch `socket` for `events` (ZMQ_EVENT_...); gives the PAIR to read them from. It must
// be drained: when it is full, libzmq's I/O thread stops.
[[nodiscard]] Result<ZmqSocket> make_monitor(void* context, void* socket, const std::string& name,
                                             int events);

// The descriptor that becomes readable when `socket` may have something to do. It is edge-triggered: only
// after a read of the socket, or has_input, found nothing; sends may swallow it.
[[nodiscard]] int descriptor_of(void* socket);

// To be called before a watched socket is closed: libzmq would wait for the reader of its events.
void stop_monitor(void* socket, void* monitor) noexcept;

// Whether a read of `socket` would find something. Afterwards its descriptor announces what comes.
[[nodiscard]] bool has_input(void* socket) noexcept;

// "what: reason of libzmq"
[[nodiscard]] Status zmq_failure(std::string what);

}  // namespace cobus::link
