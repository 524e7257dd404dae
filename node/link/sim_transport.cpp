// SPDX-License-Identifier: Apache-2.0
#include "node/link/sim_transport.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include "node/runtime/check.hpp"
#include "proto/limits.hpp"

namespace cobus::link {
namespace {

constexpr std::size_t dialling_end = 0;
constexpr std::size_t accepting_end = 1;

std::pair<std::string, std::string> pair_of(const std::string& one, const std::string& other) {
  return one < other ? std::pair(one, other) : std::pair(other, one);
}

}  // namespace

// One process's view of the network. Deliveries to it wait here, in the order in which they are due.
class SimTransport final : public Transport {
 public:
  SimTransport(SimNetwork& network, std::string host, std::string endpoint, CurveKey key)
      : network_(network), host_(std::move(host)), endpoint_(std::move(endpoint)), key_(key) {}
  ~SimTransport() override { network_.end_process(*this); }
  SimTransport(const SimTransport&) = delete;
  SimTransport& operator=(const SimTransport&) = delete;

  Result<ConnectionId> dial(const std::string& endpoint, const CurveKey& server_key) override {
    return network_.dial(*this, endpoint, server_key);
  }
  SendOutcome send(ConnectionId connection, std::string_view frame) override;
  SendOutcome send_shared(ConnectionId connection, std::shared_ptr<const std::string> frame) override;
  void close(ConnectionId connection) override;
  void poll(TransportEvents& events, Duration longest) override;
  void wake() noexcept override {}  // a poll never sleeps here
  [[nodiscard]] std::string listening() const override { return endpoint_; }

 private:
  SendOutcome send_out(ConnectionId connection, std::string_view frame,
                       std::shared_ptr<const std::string> share);
  friend class SimNetwork;
  using Key = std::pair<TimePoint, std::uint64_t>;
  struct Side {
    std::shared_ptr<SimNetwork::Connection> connection;
    std::size_t end;
  };

  void deliver(TransportEvents& events, const SimNetwork::Delivery& delivery);
  // Deliveries between hosts that are cut stay where they are.
  [[nodiscard]] bool passes(const SimNetwork::Delivery& delivery) const {
    return !network_.is_cut(host_, delivery.connection->ends[delivery.end].peer_host);
  }

  SimNetwork& network_;
  std::string host_;
  std::string endpoint_;
  CurveKey key_;
  bool dead_ = false;
  TimePoint frozen_until_{};
  std::map<ConnectionId, Side> sides_;
  std::map<Key, SimNetwork::Delivery> deliveries_;
};

SendOutcome SimTransport::send(ConnectionId connection, std::string_view frame) {
  return send_out(connection, frame, nullptr);
}

SendOutcome SimTransport::send_shared(ConnectionId connection, std::shared_ptr<const std::string> frame) {
  const std::string_view bytes = *frame;
  return send_out(connection, bytes, std::move(frame));
}

SendOutcome SimTransport::send_out(ConnectionId connection, std::string_view frame,
                                   std::shared_ptr<const std::string> share) {
  COBUS_CHECK(frame.size() <= limits::frame_bytes_max);
  const auto found = sides_.find(connection);
  if (dead_ || found == sides_.end()) return SendOutcome::gone;
  const Side side = found->second;
  SimNetwork::End& other = side.connection->ends[1 - side.end];
  if (other.in_flight_bytes + frame.size() > network_.options_.in_flight_bytes_max)
    return SendOutcome::would_block;
  const std::uint64_t break_one_in = network_.options_.break_one_in;
  if (break_one_in != 0 && network_.random_.below(break_one_in) == 0) {
    network_.break_connection(side.connection);
  } else {
    network_.schedule(
        {SimNetwork::What::frame, side.connection, 1 - side.end, std::string(frame), {}, std::move(share)});
  }
  return SendOutcome::sent;
}

void SimTransport::close(ConnectionId connection) {
  const auto found = sides_.find(connection);
  if (found == sides_.end()) return;
  const Side side = found->second;
  const bool loses = network_.options_.closing_may_lose && network_.random_.below(2) == 0;
  network_.leave(side.connection, side.end, loses);
}

void SimTransport::poll(TransportEvents& events, Duration) {
  if (dead_) return;
  const TimePoint now = network_.clock_.now();
  // What this very poll causes waits for the next one, so that it ends.
  const std::uint64_t last = network_.last_delivery_;
  for (auto next = deliveries_.begin(); next != deliveries_.end() && next->first.first <= now && !dead_;) {
    if (next->first.second > last || !passes(next->second)) {
      ++next;
      continue;
    }
    const Key key = next->first;
    const SimNetwork::Delivery delivery = std::move(next->second);
    deliveries_.erase(next);
    deliver(events, delivery);
    next = deliveries_.upper_bound(key);
  }
}

void SimTransport::deliver(TransportEvents& events, const SimNetwork::Delivery& delivery) {
  SimNetwork::End& end = delivery.connection->ends[delivery.end];
  const ConnectionId id = end.id;
  switch (delivery.what) {
    case SimNetwork::What::opened:
      events.on_open(id);
      return;
    case SimNetwork::What::frame: {
      COBUS_CHECK(delivery.share == nullptr || *delivery.share == delivery.bytes);
      end.in_flight_bytes -= delivery.bytes.size();
      end.known = true;
      const auto frame = std::make_shared<const std::string>(delivery.bytes);
      events.on_frame(id, end.peer_key, FrameIn(frame));
      return;
    }
    case SimNetwork::What::closed:
      end.owner = nullptr;
      sides_.erase(id);
      if (end.known) events.on_closed(id, delivery.reason);
      return;
  }
}

SimNetwork::SimNetwork(std::uint64_t seed, SimOptions options) : random_(seed), options_(options) {}

SimNetwork::~SimNetwork() { COBUS_CHECK(transports_.empty()); }

std::unique_ptr<Transport> SimNetwork::attach(std::string host, std::string endpoint, CurveKey key) {
  if (SimTransport* earlier = listener_at(endpoint)) end_process(*earlier);
  auto transport = std::make_unique<SimTransport>(*this, std::move(host), std::move(endpoint), key);
  transports_.emplace(++last_transport_, transport.get());
  return transport;
}

SimTransport* SimNetwork::listener_at(const std::string& endpoint) const {
  if (endpoint.empty()) return nullptr;
  for (const auto& [number, transport] : transports_) {
    if (!transport->dead_ && transport->endpoint_ == endpoint) return transport;
  }
  return nullptr;
}

Result<ConnectionId> SimNetwork::dial(SimTransport& from, const std::string& endpoint,
                                      const CurveKey& server_key) {
  if (!endpoint.starts_with("tcp://") || endpoint.find_last_of(':') < 6) {
    return fail(Code::invalid_argument, "not an endpoint: '" + endpoint + "' (tcp://ADDRESS:PORT)");
  }
  auto connection = std::make_shared<Connection>();
  End& near = connection->ends[dialling_end];
  near.owner = &from;
  near.id = ConnectionId{++last_connection_};
  near.peer_key = server_key;
  near.known = true;
  if (from.dead_) return near.id;  // and nobody will ever hear of it again
  from.sides_.emplace(near.id, SimTransport::Side{connection, dialling_end});
  SimTransport* to = listener_at(endpoint);
  if (to == nullptr) {
    schedule({What::closed, connection, dialling_end, {}, CloseReason::refused});
  } else if (to->key_ != server_key) {
    schedule({What::closed, connection, dialling_end, {}, CloseReason::handshake_failed});
  } else {
    near.peer_host = to->host_;
    End& far = connection->ends[accepting_end];
    far.owner = to;
    far.id = ConnectionId{++last_connection_};
    far.peer_key = from.key_;
    far.peer_host = from.host_;
    to->sides_.emplace(far.id, SimTransport::Side{connection, accepting_end});
    schedule({What::opened, connection, dialling_end, {}, {}});
  }
  return near.id;
}

void SimNetwork::schedule(Delivery delivery) {
  End& end = delivery.connection->ends[delivery.end];
  if (end.owner == nullptr || end.ending || delivery.connection->forgotten) return;
  end.ending = delivery.what == What::closed;
  const bool slow = options_.slow_one_in != 0 && random_.below(options_.slow_one_in) == 0;
  const Duration longest = slow ? std::max(options_.slow_max, options_.latency_min) : options_.latency_max;
  const Duration latency = options_.latency_min + random_.jitter(longest - options_.latency_min);
  end.last_due = std::max(end.last_due, clock_.now() + latency);
  end.in_flight_bytes += delivery.bytes.size();
  end.owner->deliveries_.emplace(SimTransport::Key{end.last_due, ++last_delivery_}, std::move(delivery));
}

void SimNetwork::drop(const std::shared_ptr<Connection>& connection, std::size_t end) {
  End& receiver = connection->ends[end];
  if (receiver.owner == nullptr) return;
  std::erase_if(receiver.owner->deliveries_, [&](const auto& entry) {
    return entry.second.connection == connection && entry.second.end == end;
  });
  receiver.in_flight_bytes = 0;
  receiver.ending = false;
}

void SimNetwork::leave(const std::shared_ptr<Connection>& connection, std::size_t end, bool lose) {
  End& near = connection->ends[end];
  drop(connection, end);
  near.owner->sides_.erase(near.id);
  near.owner = nullptr;
  if (lose) drop(connection, 1 - end);
  schedule({What::closed, connection, 1 - end, {}, CloseReason::disconnected});
}

void SimNetwork::break_connection(const std::shared_ptr<Connection>& connection) {
  for (const std::size_t end : {dialling_end, accepting_end}) {
    drop(connection, end);
    schedule({What::closed, connection, end, {}, CloseReason::disconnected});
  }
}

void SimNetwork::end_process(SimTransport& transport) {
  transport.dead_ = true;
  while (!transport.sides_.empty()) {
    const SimTransport::Side side = transport.sides_.begin()->second;
    leave(side.connection, side.end, random_.below(2) == 0);
  }
  transport.deliveries_.clear();
  std::erase_if(transports_, [&](const auto& entry) { return entry.second == &transport; });
}

void SimNetwork::cut(const std::string& one, const std::string& other) { cuts_.insert(pair_of(one, other)); }

void SimNetwork::heal(const std::string& one, const std::string& other) { cuts_.erase(pair_of(one, other)); }

bool SimNetwork::is_cut(const std::string& one, const std::string& other) const {
  return !cuts_.empty() && cuts_.contains(pair_of(one, other));
}

void SimNetwork::kill(const std::string& host) {
  std::vector<SimTransport*> killed;
  for (const auto& [number, transport] : transports_) {
    if (transport->host_ == host) killed.push_back(transport);
  }
  for (SimTransport* transport : killed) end_process(*transport);
}

void SimNetwork::freeze(const std::string& host, TimePoint until) {
  for (const auto& [number, transport] : transports_) {
    if (transport->host_ == host) transport->frozen_until_ = until;
  }
}

std::vector<std::pair<std::shared_ptr<SimNetwork::Connection>, std::size_t>> SimNetwork::between(
    const std::string& one, const std::string& other) const {
  std::vector<std::pair<std::shared_ptr<Connection>, std::size_t>> found;
  for (const auto& [number, transport] : transports_) {
    if (transport->host_ != one) continue;
    for (const auto& [id, side] : transport->sides_) {
      if (side.connection->ends[side.end].peer_host == other) found.emplace_back(side.connection, side.end);
    }
  }
  return found;
}

void SimNetwork::break_connections(const std::string& one, const std::string& other) {
  for (const auto& [connection, end] : between(one, other)) break_connection(connection);
}

void SimNetwork::break_half(const std::string& one, const std::string& other) {
  for (const auto& [connection, end] : between(one, other)) {
    drop(connection, end);
    drop(connection, 1 - end);
    schedule({What::closed, connection, end, {}, CloseReason::disconnected});
    connection->forgotten = true;  // what is said on it from now on is lost too: none comes behind a gap
  }
}

void SimNetwork::forget_connections(const std::string& one, const std::string& other) {
  for (const auto& [connection, end] : between(one, other)) {
    for (const std::size_t each : {dialling_end, accepting_end}) drop(connection, each);
    connection->forgotten = true;
  }
}

TimePoint SimNetwork::next_event() const {
  TimePoint earliest = never;
  for (const auto& [number, transport] : transports_) {
    for (const auto& [key, delivery] : transport->deliveries_) {
      const TimePoint due = std::max(key.first, transport->frozen_until_);
      if (due >= earliest) break;
      if (transport->passes(delivery)) earliest = due;
    }
  }
  return earliest;
}

std::size_t SimNetwork::connections() const {
  std::size_t count = 0;
  for (const auto& [number, transport] : transports_) {
    for (const auto& [id, side] : transport->sides_) {
      if (side.end == dialling_end && side.connection->ends[accepting_end].owner != nullptr) ++count;
    }
  }
  return count;
}

}  // namespace cobus::link
