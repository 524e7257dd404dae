// SPDX-License-Identifier: Apache-2.0
#include "node/link/zmq_dialler.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace cobus::link {
namespace {

constexpr int watched_events = ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
constexpr std::uint32_t zap_no = 400;
// One poll reads at most this much, so nobody else waits for long.
constexpr std::size_t poll_frames_max = 512;
constexpr std::size_t poll_bytes_max = 2 * limits::frame_bytes_max;

// A letter, which no id made by libzmq starts with, and the connection's number.
using RoutingId = std::array<char, 9>;

RoutingId routing_id_of(ConnectionId connection) {
  RoutingId id{};
  id[0] = 'd';
  for (std::size_t i = 0; i < 8; ++i) {
    id[1 + i] = static_cast<char>(static_cast<std::uint64_t>(connection) >> (8 * i));
  }
  return id;
}

ConnectionId connection_of_routing_id(std::string_view bytes) {
  if (bytes.size() != std::tuple_size_v<RoutingId>) return ConnectionId::none;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    number |= std::uint64_t{static_cast<unsigned char>(bytes[1 + i])} << (8 * i);
  }
  return ConnectionId{number};
}

std::string tagged(const std::string& endpoint, ConnectionId connection) {
  return endpoint + '_' + std::to_string(static_cast<std::uint64_t>(connection));
}

ConnectionId connection_of_endpoint(std::string_view endpoint) {
  const std::size_t tag = endpoint.rfind('_');
  if (tag == std::string_view::npos) return ConnectionId::none;
  std::uint64_t number = 0;
  std::from_chars(endpoint.data() + tag + 1, endpoint.data() + endpoint.size(), number);
  return ConnectionId{number};
}

}  // namespace

Result<std::unique_ptr<ZmqDialler>> ZmqDialler::open(void* context, const CurvePair& own, const Clock& clock,
                                                     std::uint64_t& last_connection) {
  std::unique_ptr<ZmqDialler> dialler(new ZmqDialler(clock, last_connection));
  auto socket = make_dialler(context, own);
  if (!socket) return fail(std::move(socket).error());
  dialler->socket_ = std::move(*socket);
  auto monitor = make_monitor(context, dialler->socket_.get(), "dialler", watched_events);
  if (!monitor) return fail(std::move(monitor).error());
  dialler->monitor_ = std::move(*monitor);
  dialler->socket_descriptor_ = descriptor_of(dialler->socket_.get());
  dialler->monitor_descriptor_ = descriptor_of(dialler->monitor_.get());
  return dialler;
}

ZmqDialler::~ZmqDialler() { stop_monitor(socket_.get(), monitor_.get()); }

bool ZmqDialler::pending() {
  if (pending_) pending_ = has_input(socket_.get());
  return pending_ || !disconnected_.empty();
}

Result<ConnectionId> ZmqDialler::dial(const std::string& endpoint, const CurveKey& server_key) {
  if (!is_numeric_endpoint(endpoint)) {
    return fail(Code::invalid_argument, "cannot dial '" + endpoint + "': not tcp://NUMERIC-ADDRESS:PORT");
  }
  const ConnectionId connection{++last_connection_};
  const RoutingId id = routing_id_of(connection);
  const int ipv6 = is_ipv6_endpoint(endpoint) ? 1 : 0;
  std::string text = tagged(endpoint, connection);
  void* socket = socket_.get();
  pending_ = true;
  // All three are copied into the connection by zmq_connect.
  if (zmq_setsockopt(socket, ZMQ_IPV6, &ipv6, sizeof ipv6) != 0 ||
      zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key.bytes.data(), server_key.bytes.size()) != 0 ||
      zmq_setsockopt(socket, ZMQ_CONNECT_ROUTING_ID, id.data(), id.size()) != 0 ||
      zmq_connect(socket, text.c_str()) != 0) {
    return fail(zmq_failure("cannot dial '" + endpoint + "'"));
  }
  const TimePoint deadline = clock_.now() + limits::handshake_timeout;
  deadlines_.emplace_back(deadline, connection);
  dials_.emplace(connection, Dial{std::move(text), server_key, deadline, false, false, std::nullopt});
  return connection;
}

SendOutcome ZmqDialler::send(ConnectionId connection, FrameOut frame) {
  if (!dials_.contains(connection)) return SendOutcome::gone;
  const RoutingId id = routing_id_of(connection);
  pending_ = true;  // a send may swallow the wake-up of a frame that came
  return send_frame(socket_.get(), {id.data(), id.size()}, std::move(frame));
}

void ZmqDialler::close(ConnectionId connection) { forget(connection); }

void ZmqDialler::append_probes(std::vector<int>& descriptors) const {
  for (const ConnectionId connection : probing_) {
    const auto found = dials_.find(connection);
    if (found != dials_.end()) descriptors.push_back(found->second.probe->descriptor());
  }
}

TimePoint ZmqDialler::next_deadline() {
  while (!deadlines_.empty()) {
    const auto found = dials_.find(deadlines_.front().second);
    if (found != dials_.end() && !found->second.open) return deadlines_.front().first;
    deadlines_.pop_front();
  }
  return never;
}

void ZmqDialler::read_events(TransportEvents& events) {
  MonitorEvent event;
  while (receive_event(monitor_.get(), event)) take_event(event, events);
}

void ZmqDialler::take_event(const MonitorEvent& event, TransportEvents& events) {
  const ConnectionId connection = connection_of_endpoint(event.endpoint);
  const auto found = dials_.find(connection);
  if (found == dials_.end()) return;  // given up meanwhile
  switch (event.event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      open_dial(connection, found->second, events);
      break;
    case ZMQ_EVENT_CLOSED:  // TCP failed, before anything was connected
      found->second.probe.emplace(found->second.endpoint.substr(0, found->second.endpoint.rfind('_')));
      probing_.push_back(connection);
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:  // DISCONNECTED follows
      found->second.denied = event.value == zap_no;
      break;
    case ZMQ_EVENT_DISCONNECTED:  // ended, be it in the handshake or later
      disconnected_.emplace_back(clock_.now(), connection);
      break;
    default:
      break;
  }
}

void ZmqDialler::read_frames(TransportEvents& events) {
  std::size_t bytes = 0;
  for (std::size_t count = 0; count < poll_frames_max && bytes < poll_bytes_max; ++count) {
    const Received received = receive_frame(socket_.get(), routing_id_, frame_);
    if (received == Received::nothing) {
      pending_ = false;
      return;
    }
    if (received == Received::malformed) continue;
    const ConnectionId connection = connection_of_routing_id(routing_id_.bytes());
    auto found = dials_.find(connection);
    if (found == dials_.end()) continue;
    if (!found->second.open) {  // its frame was faster than the news of its handshake
      open_dial(connection, found->second, events);
      found = dials_.find(connection);
      if (found == dials_.end()) continue;
    }
    bytes += frame_.bytes().size();
    const CurveKey key = found->second.server_key;
    events.on_frame(connection, key, frame_.frame());
  }
  pending_ = true;
}

void ZmqDialler::finish(TransportEvents& events) {
  for (const ConnectionId connection : std::exchange(probing_, {})) {
    const auto found = dials_.find(connection);
    if (found == dials_.end()) continue;
    const std::optional<CloseReason> reason = found->second.probe->outcome();
    if (reason) {
      end_dial(connection, *reason, events);
    } else {
      probing_.push_back(connection);
    }
  }
  const bool all_read = !pending_;
  const TimePoint late = clock_.now() - end_told_after;
  while (!disconnected_.empty() && (all_read || disconnected_.front().first <= late)) {
    const ConnectionId connection = disconnected_.front().second;
    disconnected_.pop_front();
    const auto found = dials_.find(connection);
    if (found == dials_.end()) continue;
    const CloseReason before_open =
        found->second.denied ? CloseReason::denied : CloseReason::handshake_failed;
    end_dial(connection, found->second.open ? CloseReason::disconnected : before_open, events);
  }
  while (next_deadline() <= clock_.now()) end_dial(deadlines_.front().second, CloseReason::timed_out, events);
}

void ZmqDialler::open_dial(ConnectionId connection, Dial& dial, TransportEvents& events) {
  if (std::exchange(dial.open, true)) return;
  events.on_open(connection);
}

void ZmqDialler::end_dial(ConnectionId connection, CloseReason reason, TransportEvents& events) {
  forget(connection);
  events.on_closed(connection, reason);
}

void ZmqDialler::forget(ConnectionId connection) {
  const auto found = dials_.find(connection);
  if (found == dials_.end()) return;
  // ENOENT would mean that libzmq has dropped it already.
  zmq_disconnect(socket_.get(), found->second.endpoint.c_str());
  pending_ = true;
  dials_.erase(found);
}

}  // namespace cobus::link
