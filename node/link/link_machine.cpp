// SPDX-License-Identifier: Apache-2.0
#include "node/link/link_machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"

namespace cobus::link {
namespace {

// What would not go is tried again after this.
constexpr Duration blocked_retry = std::chrono::milliseconds(2);

std::string who(const PeerInfo& peer) { return fmt::format("{} ({})", peer.name, to_string(peer.node)); }

}  // namespace

LinkMachine::LinkMachine(Transport& transport, const Clock& clock, Random& random, LinkEvents& events,
                         Identity identity, LinkOptions options)
    : transport_(transport),
      clock_(clock),
      random_(random),
      events_(events),
      greeter_(std::move(identity), std::move(options)),
      dialler_(random),
      last_turn_(clock.now()) {}

LinkMachine::~LinkMachine() {
  for (const auto& [id, connection] : connections_) transport_.close(id);
}

void LinkMachine::add_target(TargetId target, std::vector<std::string> endpoints, CurveKey key) {
  dialler_.set(goal_of(target), std::move(endpoints), key);
  dialler_.want(goal_of(target), true);
}

void LinkMachine::learn(NodeId node, std::vector<std::string> endpoints, CurveKey key) {
  if (node == greeter_.own()) return;
  const Goal goal = goal_of(node);
  const bool news = !dialler_.knows(goal);
  dialler_.set(goal, std::move(endpoints), key);
  if (news && peer_up(node) != nullptr) dialler_.connected(goal, clock_.now());
}

void LinkMachine::forget(NodeId node) {
  abandon_attempt(goal_of(node));
  dialler_.remove(goal_of(node));
  if (peer_up(node) == nullptr) {
    return_waiting(node, {Code::unavailable, "node " + to_string(node) + " has left the directory"});
  }
}

void LinkMachine::submit(NodeId node, std::string chunk) {
  if (chunk.empty()) return;
  Peer* up = peer_up(node);
  if (up == nullptr && (shut_ || !dialler_.knows(goal_of(node)))) {
    return undeliverable(
        node, chunk,
        {Code::not_found, "node " + to_string(node) + " is neither in the directory nor connected"});
  }
  if (chunk.size() > chunk_bytes_max()) {
    return undeliverable(node, chunk,
                         {Code::invalid_argument, fmt::format("{} bytes do not fit into one frame; {} do",
                                                              chunk.size(), chunk_bytes_max())});
  }
  Peer& peer = up != nullptr ? *up : peers_[node];
  if (peer.outbox.empty()) {
    peer.waiting_since = clock_.now();
    waiting_.insert(node);
    if (up == nullptr) arm(peer.waiting_since + limits::down_after);
  }
  if (up == nullptr) dialler_.want(goal_of(node), true);
  if (peer.outbox.push(chunk)) return;
  if (up != nullptr) flush_peer(peer);
  if (peer.outbox.push(chunk)) return;
  const std::string name = up != nullptr ? who(connections_.at(peer.up).peer) : "node " + to_string(node);
  const std::string refused = peer.outbox.push_essential(chunk);
  const Status full(Code::resource_exhausted,
                    fmt::format("peer {} takes no more: {} bytes wait for it already; send less at a time",
                                name, peer.outbox.bytes()));
  if (peer.outbox.overrun() && up != nullptr) {
    end_session(connections_.at(peer.up), {Code::unavailable, full.message()});
  } else if (peer.outbox.overrun()) {
    return_waiting(node, {Code::unavailable, full.message()});
  }
  if (!refused.empty()) undeliverable(node, refused, full);
}

bool LinkMachine::turn() {
  const TimePoint now = clock_.now();
  if (now - last_turn_ > limits::beat_interval) excuse(now - last_turn_);
  last_turn_ = now;
  if (shut_) return false;
  if (now >= next_timer_) run_timers(now);
  while (const auto attempt = dialler_.next(now)) start(*attempt);
  flush();
  return std::exchange(told_, false);
}

TimePoint LinkMachine::next_due() const {
  if (shut_) return never;
  const TimePoint due = std::min(next_timer_, dialler_.due());
  return blocked_ ? std::min(due, clock_.now() + blocked_retry) : due;
}

void LinkMachine::wait(Duration longest) {
  const TimePoint before = clock_.now();
  Duration allowed = longest;
  if (const TimePoint due = next_due(); due != never) {
    const Duration until = std::max(due - before, Duration(0));
    allowed = longest < Duration(0) ? until : std::min(longest, until);
  }
  transport_.poll(*this, allowed);
  last_turn_ = clock_.now();
  // The time that we meant to sleep is nobody's fault; more than that means that we were stopped.
  const Duration late = last_turn_ - before - std::max(allowed, Duration(0));
  if (allowed >= Duration(0) && late > limits::beat_interval) excuse(late);
}

void LinkMachine::shut(TimePoint deadline) {
  turn();
  const auto unsent = [this] {
    std::size_t bytes = 0;
    for (const NodeId node : waiting_) {
      if (peer_up(node) != nullptr) bytes += peers_.at(node).outbox.bytes();
    }
    return bytes;
  };
  for (std::size_t before = unsent(); before > 0 && clock_.now() < deadline;) {
    const TimePoint started = clock_.now();
    transport_.poll(*this, std::min<Duration>(deadline - started, blocked_retry));
    flush();
    const std::size_t after = unsent();
    if (after == before && clock_.now() == started) break;  // simulated time does not pass by itself
    before = after;
  }
  shut_ = true;
  const Status goodbye(Code::unavailable, "this node stops");
  while (!connections_.empty()) {
    Connection& connection = connections_.begin()->second;
    if (connection.stage == Stage::up) {
      end_session(connection, goodbye);
    } else {
      drop(connection);
    }
  }
  while (!waiting_.empty()) return_waiting(*waiting_.begin(), goodbye);
}

void LinkMachine::on_frame(ConnectionId id, const CurveKey& key, std::string_view frame) {
  ++counters_.frames_received;
  counters_.bytes_received += frame.size();
  Connection* connection = find(id);
  if (connection == nullptr) {
    if (!shut_) accept(id, key, frame);
    return;
  }
  connection->received = clock_.now();
  switch (connection->stage) {
    case Stage::opening:
    case Stage::greeted:
      read_answer(*connection, key, frame);
      return;
    case Stage::held:
      ++counters_.malformed;  // it has no business to speak before our answer
      drop(*connection);
      return;
    case Stage::probation:
      if (replace_session(*connection)) receive(*connection, key, frame);
      return;
    case Stage::up:
      receive(*connection, key, frame);
      return;
    case Stage::refused:
      return;
  }
}

void LinkMachine::bring_up(Connection& connection) {
  const TimePoint now = clock_.now();
  const NodeId node = connection.peer.node;
  if (connection.goal != goal_of(node)) abandon_attempt(goal_of(node));
  enter(connection, Stage::up);
  peers_[node].up = connection.id;
  peers_changed_ = true;
  told_ = true;
  dialler_.connected(goal_of(node), now);
  const TargetId target = connection.goal.target;
  if (target != TargetId::none) {
    dialler_.connected(connection.goal, now);
    serve(target, node);
  }
  events_.on_peer_up(connection.peer, target);
}

void LinkMachine::serve(TargetId target, NodeId node) { peers_.at(node).targets.push_back(target); }

bool LinkMachine::replace_session(Connection& by) {
  if (Peer* peer = peer_up(by.peer.node)) {
    if (peer->up != by.rival) {
      // Another session came up after our answer: both sides know of that one, so it stays.
      drop(by);
      return false;
    }
    end_session(connections_.at(peer->up), {Code::unavailable, "it came back on another connection"});
  }
  bring_up(by);
  return true;
}

void LinkMachine::receive(Connection& connection, const CurveKey& key, std::string_view frame) {
  const auto header = read_frame_header(frame);
  Status status =
      header ? connection.session.receive(*header) : Status(Code::internal, header.error().message());
  if (key != connection.peer.key) status = Status(Code::internal, "a frame came with another key");
  if (status.ok()) {
    const bool numbered = header->sequence != 0;
    const auto read = read_frame(frame, [&](const EnvelopeView& envelope) {
      if (!numbered) return;
      ++counters_.envelopes_received;
      events_.on_envelope(connection.peer, envelope);
    });
    if (read) return;
    status = Status(Code::internal, read.error().message());
  }
  ++counters_.malformed;
  end_session(connection, {status.code(), who(connection.peer) + " broke the protocol: " + status.message()});
}

void LinkMachine::end_session(Connection& connection, const Status& reason) {
  const PeerInfo info = std::move(connection.peer);
  drop(connection);
  Peer& peer = peers_.at(info.node);
  peer.up = ConnectionId::none;
  peers_changed_ = true;
  const TimePoint now = clock_.now();
  for (const TargetId target : std::exchange(peer.targets, {})) dialler_.lost(goal_of(target), now);
  dialler_.lost(goal_of(info.node), now);
  return_waiting(info.node, {Code::unavailable, "lost " + who(info) + ": " + reason.message()});
  erase_if_idle(info.node);
  told_ = true;
  events_.on_peer_down(info, reason);
}

void LinkMachine::flush() {
  blocked_ = false;
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    Peer* peer = peer_up(*next);
    if (peer != nullptr) flush_peer(*peer);
    next = peer != nullptr && peer->outbox.empty() ? waiting_.erase(next) : std::next(next);
  }
}

void LinkMachine::flush_peer(Peer& peer) {
  Connection& connection = connections_.at(peer.up);
  while (!peer.outbox.empty()) {
    buffer_.clear();
    connection.session.begin_frame(buffer_);
    const std::size_t chunks = peer.outbox.fill(buffer_);
    const SendOutcome outcome = transmit(connection, buffer_);
    if (outcome != SendOutcome::sent) {
      blocked_ = blocked_ || outcome == SendOutcome::would_block;
      return;
    }
    connection.session.sent();
    peer.outbox.pop(chunks);
  }
}

SendOutcome LinkMachine::transmit(Connection& connection, std::string_view frame) {
  const SendOutcome outcome = transport_.send(connection.id, frame);
  if (outcome == SendOutcome::sent) {
    connection.sent = clock_.now();
    ++counters_.frames_sent;
    counters_.bytes_sent += frame.size();
  }
  return outcome;
}

void LinkMachine::return_waiting(NodeId node, const Status& reason) {
  dialler_.give_up(goal_of(node));
  waiting_.erase(node);
  const auto found = peers_.find(node);
  if (found == peers_.end()) return;
  for (const std::string& chunk : found->second.outbox.take()) undeliverable(node, chunk, reason);
  erase_if_idle(node);
}

void LinkMachine::undeliverable(NodeId node, std::string_view chunk, const Status& reason) {
  ++counters_.undeliverable;
  told_ = true;
  events_.on_undeliverable(node, chunk, reason);
}

void LinkMachine::enter(Connection& connection, Stage stage) {
  connection.stage = stage;
  connection.since = clock_.now();
  connection.received = connection.sent = connection.since;
  arm(deadline_of(connection));
}

void LinkMachine::drop(Connection& connection) {
  const ConnectionId id = connection.id;
  transport_.close(id);
  connections_.erase(id);
}

LinkMachine::Connection* LinkMachine::find(ConnectionId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : &found->second;
}

LinkMachine::Peer* LinkMachine::peer_up(NodeId node) {
  const auto found = peers_.find(node);
  return found == peers_.end() || found->second.up == ConnectionId::none ? nullptr : &found->second;
}

void LinkMachine::erase_if_idle(NodeId node) {
  const auto found = peers_.find(node);
  if (found != peers_.end() && found->second.up == ConnectionId::none && found->second.outbox.empty()) {
    peers_.erase(found);
  }
}

std::vector<PeerInfo> LinkMachine::peers() const {
  std::vector<PeerInfo> all;
  for (const auto& [node, peer] : peers_) {
    if (peer.up != ConnectionId::none) all.push_back(connections_.at(peer.up).peer);
  }
  return all;
}

std::size_t LinkMachine::waiting_bytes() const {
  std::size_t bytes = 0;
  for (const NodeId node : waiting_) bytes += peers_.at(node).outbox.bytes();
  return bytes;
}

}  // namespace cobus::link
