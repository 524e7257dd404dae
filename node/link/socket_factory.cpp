// SPDX-License-Identifier: Apache-2.0
#include "node/link/socket_factory.hpp"

#include <zmq.h>

#include <cerrno>
#include <initializer_list>

#include "node/link/zmq_message.hpp"

namespace cobus::link {
namespace {

struct IntOption {
  int name;
  int value;
};

int milliseconds_of(std::chrono::milliseconds duration) { return static_cast<int>(duration.count()); }

Status set_all(void* socket, std::initializer_list<IntOption> options) {
  for (const IntOption& option : options) {
    if (zmq_setsockopt(socket, option.name, &option.value, sizeof option.value) != 0) {
      return zmq_failure("libzmq refused socket option " + std::to_string(option.name));
    }
  }
  return {};
}

// What every socket on the network has.
Status set_common(void* socket, const CurvePair& own) {
  const std::int64_t bytes_max = socket_message_bytes_max;
  // Unlimited by default, and a stranger's announcement alone allocates.
  if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max) != 0) {
    return zmq_failure("libzmq refused a limit of message sizes");
  }
  Status set = set_all(
      socket, {
                  {ZMQ_SNDHWM, socket_queue_frames},  // never 0 (unbounded), never changed later
                  {ZMQ_RCVHWM, socket_queue_frames},
                  {ZMQ_LINGER, milliseconds_of(socket_linger)},  // the default waits for ever
                  {ZMQ_SNDTIMEO, 0},                             // nothing may block the loop
                  {ZMQ_RCVTIMEO, 0},
                  {ZMQ_HANDSHAKE_IVL, milliseconds_of(limits::handshake_timeout)},  // ends silent connections
                  {ZMQ_CONNECT_TIMEOUT, milliseconds_of(limits::handshake_timeout)},
                  {ZMQ_BACKLOG, 1024},      // reconnect storms
                  {ZMQ_RECONNECT_IVL, -1},  // libzmq never redials: see zmq_dialler.hpp
                  {ZMQ_HEARTBEAT_IVL, 0},   // lose data under back-pressure; the session has its own beat
                  {ZMQ_TCP_MAXRT, 15'000},  // TCP_USER_TIMEOUT: ends half-open connections
                  {ZMQ_TCP_KEEPALIVE, 1},
                  {ZMQ_TCP_KEEPALIVE_IDLE, 30},
                  {ZMQ_TCP_KEEPALIVE_INTVL, 10},
                  {ZMQ_TCP_KEEPALIVE_CNT, 3},
                  {ZMQ_IMMEDIATE, 0},         // 1 loses CONNECT_ROUTING_ID
                  {ZMQ_ROUTER_MANDATORY, 1},  // EHOSTUNREACH and EAGAIN instead of silent drops
                  {ZMQ_ROUTER_HANDOVER, 0},   // 1 lets another key take a routing id
              });
  if (!set.ok()) return set;
  if (zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own.key.bytes.data(), own.key.bytes.size()) != 0 ||
      zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own.secret.bytes().data(), own.secret.bytes().size()) !=
          0) {
    return zmq_failure("libzmq refused the CURVE key (is it built with CURVE?)");
  }
  return {};
}

Result<ZmqSocket> make_socket(void* context, int type) {
  ZmqSocket socket(zmq_socket(context, type));
  if (!socket) return fail(zmq_failure("cannot make a socket"));
  return socket;
}

}  // namespace

void ZmqContextCloser::operator()(void* context) const noexcept {
  while (zmq_ctx_term(context) != 0 && errno == EINTR) {
  }
}

void ZmqSocketCloser::operator()(void* socket) const noexcept { zmq_close(socket); }

Status zmq_failure(std::string what) {
  return {Code::internal, std::move(what) + ": " + zmq_strerror(zmq_errno())};
}

Result<ZmqContext> make_context() {
  ZmqContext context(zmq_ctx_new());
  if (!context) return fail(zmq_failure("cannot start libzmq"));
  // One I/O thread: events of one descriptor then reach the monitor in the order they happened.
  if (zmq_ctx_set(context.get(), ZMQ_IO_THREADS, 1) != 0) return fail(zmq_failure("cannot set up libzmq"));
  return context;
}

Result<ZmqSocket> make_door(void* context, const CurvePair& own, bool ipv6) {
  auto door = make_socket(context, ZMQ_ROUTER);
  if (!door) return door;
  if (Status set = set_common(door->get(), own); !set.ok()) return fail(std::move(set));
  // CURVE alone lets anybody in; only domain and option 93 together make the handler's word needed.
  if (zmq_setsockopt(door->get(), ZMQ_ZAP_DOMAIN, zap_domain, sizeof zap_domain - 1) != 0) {
    return fail(zmq_failure("libzmq refused the ZAP domain"));
  }
  Status set =
      set_all(door->get(), {{zap_enforce_domain_option, 1}, {ZMQ_CURVE_SERVER, 1}, {ZMQ_IPV6, ipv6 ? 1 : 0}});
  if (!set.ok()) return fail(std::move(set));
  return door;
}

Result<ZmqSocket> make_dialler(void* context, const CurvePair& own) {
  auto dialler = make_socket(context, ZMQ_ROUTER);
  if (!dialler) return dialler;
  if (Status set = set_common(dialler->get(), own); !set.ok()) return fail(std::move(set));
  return dialler;
}

Result<ZmqSocket> make_zap(void* context) {
  auto zap = make_socket(context, ZMQ_REP);
  if (!zap) return zap;
  if (Status set = set_all(zap->get(), {{ZMQ_LINGER, 0}}); !set.ok()) return fail(std::move(set));
  if (zmq_bind(zap->get(), "inproc://zeromq.zap.01") != 0)
    return fail(zmq_failure("cannot bind the ZAP handler"));
  static_cast<void>(has_input(zap->get()));
  return zap;
}

Result<ZmqSocket> make_monitor(void* context, void* socket, const std::string& name, int events) {
  const std::string endpoint = "inproc://monitor." + name;
  if (zmq_socket_monitor(socket, endpoint.c_str(), events) != 0) {
    return fail(zmq_failure("cannot watch the " + name));
  }
  auto monitor = make_socket(context, ZMQ_PAIR);
  if (!monitor) return monitor;
  if (Status set = set_all(monitor->get(), {{ZMQ_LINGER, 0}}); !set.ok()) return fail(std::move(set));
  if (zmq_connect(monitor->get(), endpoint.c_str()) != 0)
    return fail(zmq_failure("cannot watch the " + name));
  static_cast<void>(has_input(monitor->get()));  // from here on its descriptor announces what comes
  return monitor;
}

int descriptor_of(void* socket) {
  int descriptor = -1;
  std::size_t size = sizeof descriptor;
  return zmq_getsockopt(socket, ZMQ_FD, &descriptor, &size) == 0 ? descriptor : -1;
}

void stop_monitor(void* socket, void* monitor) noexcept {
  if (socket == nullptr || monitor == nullptr) return;
  ZmqMessage unread;
  while (unread.receive(monitor)) {
  }
  zmq_socket_monitor(socket, nullptr, 0);
}

bool has_input(void* socket) noexcept {
  int events = 0;
  std::size_t size = sizeof events;
  // Interrupted: say yes, a read will tell.
  return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) != 0 || (events & ZMQ_POLLIN) != 0;
}

}  // namespace cobus::link
