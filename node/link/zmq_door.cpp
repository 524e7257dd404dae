// SPDX-License-Identifier: Apache-2.0
#include "node/link/zmq_door.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "node/link/reach_probe.hpp"

namespace cobus::link {
namespace {

constexpr int watched_events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED;
constexpr std::size_t poll_frames_max = 512;
constexpr std::size_t poll_bytes_max = 2 * limits::frame_bytes_max;
constexpr std::size_t over_max = 1'024;
constexpr std::size_t routing_id_bytes = 5;

bool is_own_routing_id(std::string_view bytes) {
  return bytes.size() == routing_id_bytes && bytes.front() == '\0';
}

std::uint32_t number_of(std::string_view bytes) {
  std::uint32_t number = 0;
  for (std::size_t i = 1; i < routing_id_bytes; ++i)
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

std::array<char, routing_id_bytes> bytes_of(std::uint32_t number) {
  return {'\0', static_cast<char>(number >> 24), static_cast<char>(number >> 16),
          static_cast<char>(number >> 8), static_cast<char>(number)};
}

bool is_older(std::uint32_t left, std::uint32_t right) { return static_cast<std::int32_t>(left - right) < 0; }

// Numeric; empty when the connection is over already.
std::string address_of_peer(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, NI_MAXHOST> text{};
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
    return {};
  }
  return text.data();
}

Result<std::string> bind_to(void* socket, const std::string& listen) {
  std::string text = listen;
  if (text.ends_with(":0")) text.replace(text.size() - 1, 1, "*");
  if (zmq_bind(socket, text.c_str()) != 0) {
    return fail(Code::unavailable, "cannot listen on " + listen + ": " + zmq_strerror(zmq_errno()) +
                                       "; choose another address with --listen, port 0 for any that is free");
  }
  std::array<char, 256> endpoint{};
  std::size_t size = endpoint.size();
  if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint.data(), &size) != 0) {
    return fail(zmq_failure("cannot read back the address of the door"));
  }
  return std::string(endpoint.data());
}

}  // namespace

Result<std::unique_ptr<ZmqDoor>> ZmqDoor::open(void* context, const CurvePair& own, const std::string& listen,
                                               Access& access, const ArrivalLimits& arrivals,
                                               const Clock& clock, std::uint64_t& last_connection) {
  if (Status checked = check_listen(listen); !checked.ok()) return fail(std::move(checked));
  std::unique_ptr<ZmqDoor> door(new ZmqDoor(access, arrivals, clock, last_connection));
  auto zap = make_zap(context);
  if (!zap) return fail(std::move(zap).error());
  door->zap_ = std::move(*zap);
  auto socket = make_door(context, own, is_ipv6_endpoint(listen));
  if (!socket) return fail(std::move(socket).error());
  door->socket_ = std::move(*socket);
  auto monitor = make_monitor(context, door->socket_.get(), "door", watched_events);
  if (!monitor) return fail(std::move(monitor).error());
  door->monitor_ = std::move(*monitor);
  auto bound = bind_to(door->socket_.get(), listen);
  if (!bound) return fail(std::move(bound).error());
  door->listening_ = std::move(*bound);
  door->zap_descriptor_ = descriptor_of(door->zap_.get());
  door->socket_descriptor_ = descriptor_of(door->socket_.get());
  door->monitor_descriptor_ = descriptor_of(door->monitor_.get());
  return door;
}

ZmqDoor::~ZmqDoor() { stop_monitor(socket_.get(), monitor_.get()); }

bool ZmqDoor::pending() {
  if (pending_) pending_ = has_input(socket_.get());
  return pending_ || !ended_.empty() || !unwelcome_.empty();
}

SendOutcome ZmqDoor::send(ConnectionId connection, FrameOut frame) {
  const auto found = connections_.find(connection);
  if (found == connections_.end() || peers_.at(found->second).state != State::up) return SendOutcome::gone;
  const auto id = bytes_of(found->second);
  pending_ = true;  // a send may swallow the wake-up of a frame that came
  return send_frame(socket_.get(), {id.data(), id.size()}, std::move(frame));
}

void ZmqDoor::close(ConnectionId connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  Peer& peer = peers_.at(found->second);
  if (peer.state == State::closing) return;
  peer.state = State::closing;
  cuts_.push_back({clock_.now() + socket_linger, {peer.descriptor, peer.acceptance}});
}

void ZmqDoor::cut(const CurveKey& key) {
  for (auto& [id, peer] : peers_) {
    if (peer.key != key || peer.state != State::up) continue;
    peer.state = State::refused;
    shut({peer.descriptor, peer.acceptance});
  }
}

// One question has seven parts: version, request id, domain, address, routing id, mechanism, credential.
void ZmqDoor::answer_zap() {
  std::array<std::string, 7> parts;
  ZmqMessage part;
  while (part.receive(zap_.get())) {
    parts.fill({});
    std::size_t count = 0;
    for (;; ++count) {
      if (count < parts.size()) parts[count] = part.bytes();
      if (!part.more() || !part.receive(zap_.get())) break;
    }
    const auto& [version, request, domain, address, routing_id, mechanism, credential] = parts;
    const AccessDecision decision = access_.decide({address, mechanism, credential});
    const std::array<std::string, 6> answer{
        "1.0", request, std::to_string(decision.status), std::string(decision.text), decision.user_id, ""};
    for (std::size_t i = 0; i < answer.size(); ++i) {
      zmq_send(zap_.get(), answer[i].data(), answer[i].size(), i + 1 < answer.size() ? ZMQ_SNDMORE : 0);
    }
  }
}

void ZmqDoor::read_events() {
  MonitorEvent event;
  while (receive_event(monitor_.get(), event)) {
    const int descriptor = static_cast<int>(event.value);
    Descriptor& counts = descriptors_[descriptor];
    if (event.event == ZMQ_EVENT_ACCEPTED) {
      // The kernel gives a descriptor out again only after its former connection ended.
      if (counts.ended < counts.accepted) end_acceptance(descriptor, counts);
      begin_acceptance(descriptor, counts);
    } else if (event.event == ZMQ_EVENT_DISCONNECTED && counts.ended < counts.accepted) {
      end_acceptance(descriptor, counts);
    }
  }
}

void ZmqDoor::begin_acceptance(int descriptor, Descriptor& counts) {
  const Acceptance acceptance{descriptor, ++counts.accepted};
  const auto cut = arrivals_.add(acceptance, address_of_peer(descriptor), ++open_, clock_.now());
  if (cut) unwelcome_.push_back(*cut);
}

void ZmqDoor::end_acceptance(int descriptor, Descriptor& counts) {
  const Acceptance acceptance{descriptor, ++counts.ended};
  ended_.emplace_back(clock_.now(), acceptance);
  --open_;
  arrivals_.remove(acceptance);
}

void ZmqDoor::read_frames(TransportEvents& events) {
  std::size_t bytes = 0;
  for (std::size_t count = 0; count < poll_frames_max && bytes < poll_bytes_max; ++count) {
    const Received received = receive_frame(socket_.get(), routing_id_, frame_);
    if (received == Received::nothing) {
      pending_ = false;
      return;
    }
    bytes += frame_.bytes().size();
    if (received == Received::malformed || !is_own_routing_id(routing_id_.bytes())) {
      refuse_frame();
    } else {
      take_frame(events);
    }
  }
  pending_ = true;
}

void ZmqDoor::take_frame(TransportEvents& events) {
  const RoutingId id = number_of(routing_id_.bytes());
  const auto found = peers_.find(id);
  Peer* peer = found != peers_.end() ? &found->second : admit(id, events);
  if (peer == nullptr || peer->state != State::up || peer->descriptor != frame_.descriptor() ||
      peer->user_id != frame_.property("User-Id")) {
    ++counts_.frames_refused;
    return;
  }
  const CurveKey key = peer->key;
  events.on_frame(peer->connection, key, frame_.frame());
}

// The first frame of a connection: finds out which acceptance it belongs to.
ZmqDoor::Peer* ZmqDoor::admit(RoutingId id, TransportEvents& events) {
  read_events();  // libzmq tells of an acceptance before it hands out a frame of it
  Peer peer;
  peer.descriptor = frame_.descriptor();
  peer.user_id = frame_.property("User-Id");
  const auto counts = descriptors_.find(peer.descriptor);
  if (counts == descriptors_.end() || !Access::key_of(peer.user_id, peer.key)) return nullptr;
  peer.acceptance = counts->second.accepted;
  if (peer.acceptance <= counts->second.finished)
    return nullptr;  // a late frame of a connection that is over
  const Acceptance acceptance{peer.descriptor, peer.acceptance};
  if (access_.is_revoked(peer.key)) {
    shut(acceptance);
    return nullptr;
  }
  if (const auto holder = holders_.find(acceptance); holder != holders_.end()) {
    // Two connections had this descriptor in turn and the end of the first is not read yet.
    if (is_older(id, holder->second)) return nullptr;
    end_peer(holder->second, events);
  }
  peer.connection = ConnectionId{++last_connection_};
  holders_[acceptance] = id;
  arrivals_.remove(acceptance);
  connections_[peer.connection] = id;
  return &(peers_[id] = std::move(peer));
}

void ZmqDoor::refuse_frame() {
  ++counts_.frames_refused;
  read_events();
  const auto counts = descriptors_.find(frame_.descriptor());
  if (counts == descriptors_.end()) return;
  const Acceptance acceptance{counts->first, counts->second.accepted};
  if (const auto holder = holders_.find(acceptance); holder != holders_.end()) {
    Peer& peer = peers_.at(holder->second);
    if (peer.state == State::up) peer.state = State::refused;
  }
  shut(acceptance);
}

void ZmqDoor::finish(TransportEvents& events) {
  const bool all_read = !pending_;
  const TimePoint late = clock_.now() - end_told_after;
  // Not those that are read meanwhile.
  for (std::size_t left = ended_.size(); left > 0 && (all_read || ended_.front().first <= late); --left) {
    const Acceptance acceptance = ended_.front().second;
    ended_.pop_front();
    descriptors_[acceptance.first].finished = acceptance.second;
    const auto holder = holders_.find(acceptance);
    if (holder != holders_.end()) end_peer(holder->second, events);
  }
  // Last, since shutting reads news of ends whose frames are not read yet.
  for (const TimePoint now = clock_.now(); !cuts_.empty() && cuts_.front().at <= now; cuts_.pop_front()) {
    shut(cuts_.front().acceptance);
  }
  cut_silent();
}

void ZmqDoor::cut_silent() {
  std::vector<Acceptance> silent = arrivals_.take_due(clock_.now());
  std::ranges::copy(std::exchange(unwelcome_, {}), std::back_inserter(silent));
  if (silent.empty()) return;
  for (const Acceptance& acceptance : silent) shut(acceptance);
  static constexpr char what[] = "cut connections that were accepted and said nothing";
  if (silence_.due(what, clock_.now())) {
    spdlog::warn("{}: {} now, {} are open, {} of them silent", what, silent.size(), open_, arrivals_.size());
  }
}

void ZmqDoor::end_peer(RoutingId id, TransportEvents& events) {
  Peer& peer = peers_.at(id);
  const State state = std::exchange(peer.state, State::over);
  const ConnectionId connection = peer.connection;
  connections_.erase(connection);
  holders_.erase({peer.descriptor, peer.acceptance});
  over_.push_back(id);
  if (over_.size() > over_max) {
    peers_.erase(over_.front());
    over_.pop_front();
  }
  if (state != State::closing) events.on_closed(connection, CloseReason::disconnected);
}

// The descriptor belongs to libzmq, whose thread may close it at any moment, and the kernel may then give
// its number to something else. But libzmq tells of the end before it closes. So: duplicate first, then
// look at the news; if the end is not among them, the duplicate is that very connection.
void ZmqDoor::shut(const Acceptance& acceptance) {
  const int duplicate = ::fcntl(acceptance.first, F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) return;  // gone, or no descriptor left: its frames are refused all the same
  read_events();
  const Descriptor& counts = descriptors_[acceptance.first];
  if (counts.accepted == acceptance.second && counts.ended < acceptance.second) {
    ::shutdown(duplicate, SHUT_RDWR);
    ++counts_.connections_cut;
  }
  ::close(duplicate);
}

}  // namespace cobus::link
