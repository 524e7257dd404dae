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
// Who was away from the sockets for longer reads before it judges.
constexpr Duration unread_max = std::chrono::milliseconds(10);

}  // namespace

LinkMachine::LinkMachine(Transport& transport, const Clock& clock, Random& random, LinkEvents& events,
                         PublishedState& published, Identity identity, LinkOptions options)
    : transport_(transport),
      clock_(clock),
      random_(random),
      events_(events),
      published_(published),
      greeter_(std::move(identity), std::move(options)),
      refusals_(clock),
      dialler_(random),
      last_turn_(clock.now()) {}

LinkMachine::~LinkMachine() {
  for (const auto& [id, connection] : connections_) transport_.close(id);
}

void LinkMachine::add_target(TargetId target, std::vector<std::string> endpoints, CurveKey key) {
  dialler_.set(goal_of(target), std::move(endpoints), key);
  dialler_.want(goal_of(target), true);
}

void LinkMachine::retarget(TargetId target, std::vector<std::string> endpoints) {
  if (const auto key = dialler_.key_of(goal_of(target)))
    dialler_.set(goal_of(target), std::move(endpoints), *key);
}

void LinkMachine::learn(NodeId node, std::vector<std::string> endpoints, CurveKey key) {
  if (node == greeter_.own()) return;
  forgotten_.erase(node);
  const Goal goal = goal_of(node);
  const bool news = !dialler_.knows(goal);
  dialler_.set(goal, std::move(endpoints), key);
  const Peer* const peer = in_session(node);
  if (!news || peer == nullptr) return;
  if (peer->up != ConnectionId::none) {
    dialler_.connected(goal, clock_.now());
  } else {
    dialler_.want(goal, true);
  }
}

// A session outlives the record: the directory may be wrong, having started a moment ago, and a session
// between two connections needs the endpoints to go on. Whether the peer is gone, its own silence says.
void LinkMachine::forget(NodeId node) {
  if (in_session(node) != nullptr) {
    forgotten_.insert(node);
    return;
  }
  remove_target(node);
  return_waiting(node, {Code::unavailable, "node " + to_string(node) + " has left the directory"});
}

void LinkMachine::remove_target(NodeId node) {
  abandon_attempt(goal_of(node));
  dialler_.remove(goal_of(node));
}

void LinkMachine::submit(NodeId node, std::string chunk, const std::shared_ptr<Backlog>& backlog,
                         std::uint64_t downs_known) {
  if (chunk.empty()) return;
  if (is_stale(node, downs_known)) {
    return undeliverable(
        node, chunk, {Code::unavailable, "node " + to_string(node) + " was lost when this was sent to it"});
  }
  Peer* known = in_session(node);
  if (shut_ || (known == nullptr && !dialler_.knows(goal_of(node)))) {
    return undeliverable(
        node, chunk,
        {Code::not_found, "node " + to_string(node) + " is neither in the directory nor connected"});
  }
  if (chunk.size() > chunk_bytes_max()) {
    return undeliverable(node, chunk,
                         {Code::invalid_argument, fmt::format("{} bytes do not fit into one frame; {} do",
                                                              chunk.size(), chunk_bytes_max())});
  }
  Peer& peer = known != nullptr ? *known : peers_[node];
  if (known == nullptr) {
    if (peer.outbox.empty()) {
      peer.waiting_since = clock_.now();
      arm(peer.waiting_since + limits::down_after);
    }
    dialler_.want(goal_of(node), true);
  }
  waiting_.insert(node);
  if (backlog != nullptr) peer.backlog = backlog;
  if (!peer.outbox.push(chunk)) {
    flush_peer(node, peer);
    if (!peer.outbox.push(chunk)) return refuse(node, peer, chunk);
  }
  spares_.add(std::move(chunk));  // when its bytes joined others
  if (peer.backlog != nullptr) peer.backlog->queued(peer.outbox.waiting_bytes());
}

// What `peer` has no room for, but for what has to go.
void LinkMachine::refuse(NodeId node, Peer& peer, std::string_view chunk) {
  const bool known = peer.session.has_value();
  const std::string name = known ? who(peer.info) : "node " + to_string(node);
  const std::string refused = peer.outbox.push_essential(chunk);
  const Status full(Code::resource_exhausted,
                    fmt::format("peer {} takes no more: {} bytes wait for it already; send less at a time",
                                name, peer.outbox.bytes()));
  if (peer.outbox.overrun() && known) {
    end_session(peer, {Code::unavailable, full.message()});
  } else if (peer.outbox.overrun()) {
    return_waiting(node, {Code::unavailable, full.message()});
  }
  if (!refused.empty()) undeliverable(node, refused, full);
}

bool LinkMachine::turn() {
  TimePoint now = clock_.now();
  if (const Duration late = now - std::max(expected_, last_turn_); late >= limits::beat_interval)
    came_late(late);
  if (shut_) return false;
  if (now >= next_timer_) {
    // Nobody is judged before what came meanwhile has been read, as far as one poll reads it.
    if (now - last_turn_ > unread_max) {
      transport_.poll(*this, Duration(0));
      transport_.wake();  // that may have taken one which was meant for the wait behind this
      now = clock_.now();
    }
    run_timers(now);
  }
  last_turn_ = now;
  while (const auto attempt = dialler_.next(now)) start(*attempt);
  flush();
  expected_ = next_due();
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
  if (allowed >= Duration(0) && late >= limits::beat_interval) came_late(late);
}

template <class Left>
void LinkMachine::poll_while(TimePoint deadline, Left left) {
  for (std::size_t before = left(); before > 0 && clock_.now() < deadline;) {
    const TimePoint started = clock_.now();
    transport_.poll(*this, std::min<Duration>(deadline - started, blocked_retry));
    flush();
    const std::size_t after = left();
    if (after == before && clock_.now() == started) break;  // simulated time does not pass by itself
    before = after;
  }
}

void LinkMachine::shut(TimePoint deadline) {
  turn();
  poll_while(deadline, [this] {
    std::size_t bytes = 0;
    for (const auto& [node, peer] : peers_) {
      if (peer.up != ConnectionId::none) bytes += peer.outbox.waiting_bytes();
    }
    return bytes;
  });
  shut_ = true;
  // Whoever answers has all that we sent.
  const Status goodbye(Code::unavailable, "this node stops");
  for (auto& [node, peer] : peers_) {
    if (peer.up == ConnectionId::none) continue;
    say_end(peer, goodbye);
    peer.leaving = true;
  }
  poll_while(deadline, [this] {
    return std::ranges::count_if(peers_, [](const auto& each) { return each.second.leaving; });
  });
  while (!peers_.empty()) {
    Peer& peer = peers_.begin()->second;
    if (peer.session) {
      end_session(peer, goodbye);
    } else {
      return_waiting(peers_.begin()->first, goodbye);
    }
  }
  while (!connections_.empty()) drop(connections_.begin()->second);
}

void LinkMachine::on_frame(ConnectionId id, const CurveKey& key, FrameIn frame) {
  ++counters_.frames_received;
  counters_.bytes_received += frame.bytes().size();
  Connection* connection = find(id);
  if (connection == nullptr) {
    accept(id, key, frame.bytes());
    return;
  }
  switch (connection->stage) {
    case Stage::opening:
    case Stage::greeted:
      read_answer(*connection, key, frame.bytes());
      return;
    case Stage::enrolling:
    case Stage::held:
      ++counters_.malformed;  // it has no business to speak before our answer
      drop(*connection);
      return;
    case Stage::probation:
      if (choose(*connection)) receive(*connection, key, frame);
      return;
    case Stage::up:
      receive(*connection, key, frame);
      return;
    case Stage::leaving:
      return;
  }
}

void LinkMachine::flush() {
  blocked_ = false;
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto found = peers_.find(*next);
    if (found != peers_.end()) flush_peer(*next, found->second);
    next = found == peers_.end() || found->second.outbox.all_sent() ? waiting_.erase(next) : std::next(next);
  }
}

void LinkMachine::tell_drained(NodeId node, Backlog* backlog, std::size_t queued, const Status& how) {
  if (backlog == nullptr) return;
  backlog->queued(queued);
  if (!backlog->tell()) return;
  told_ = true;
  events_.on_drained(node, how);
}

void LinkMachine::flush_peer(NodeId node, Peer& peer) {
  fill_frames(peer);
  tell_drained(node, peer.backlog.get(), peer.outbox.waiting_bytes());
}

void LinkMachine::fill_frames(Peer& peer) {
  if (peer.up == ConnectionId::none || peer.leaving || !peer.session->confirmed()) return;
  Connection& connection = connections_.at(peer.up);
  while (peer.outbox.may_send()) {
    std::size_t chunks = 1;
    SendOutcome outcome{};
    if (std::shared_ptr<std::string> alone = peer.outbox.alone()) {
      peer.session->write_header(*alone, peer.outbox.next_sequence());
      outcome = transmit_shared(connection, std::move(alone));
    } else {
      buffer_.clear();
      peer.session->write_header(buffer_, peer.outbox.next_sequence());
      chunks = peer.outbox.fill(buffer_);
      outcome = transmit(connection, buffer_);
    }
    if (outcome != SendOutcome::sent) {
      blocked_ = blocked_ || outcome == SendOutcome::would_block;
      return;
    }
    peer.outbox.sent(chunks);
    peer.sent = clock_.now();
    peer.owed = 0;
  }
}

SendOutcome LinkMachine::transmit(Connection& connection, std::string_view frame) {
  return count_sent(transport_.send(connection.id, frame), frame.size());
}

SendOutcome LinkMachine::transmit_shared(Connection& connection, std::shared_ptr<const std::string> frame) {
  const std::size_t bytes = frame->size();
  return count_sent(transport_.send_shared(connection.id, std::move(frame)), bytes);
}

SendOutcome LinkMachine::count_sent(SendOutcome outcome, std::size_t bytes) noexcept {
  if (outcome == SendOutcome::sent) {
    ++counters_.frames_sent;
    counters_.bytes_sent += bytes;
  }
  return outcome;
}

void LinkMachine::return_waiting(NodeId node, const Status& reason) {
  dialler_.give_up(goal_of(node));
  waiting_.erase(node);
  const auto found = peers_.find(node);
  if (found == peers_.end() || found->second.session) return;
  const std::shared_ptr<Backlog> backlog = std::move(found->second.backlog);
  const std::deque<std::string> chunks = found->second.outbox.take();
  peers_.erase(found);
  for (const std::string& chunk : chunks) undeliverable(node, chunk, reason);
  tell_drained(node, backlog.get(), 0, reason);
}

void LinkMachine::undeliverable(NodeId node, std::string_view chunk, const Status& reason) {
  ++counters_.undeliverable;
  told_ = true;
  events_.on_undeliverable(node, chunk, reason);
}

void LinkMachine::enter(Connection& connection, Stage stage) {
  connection.stage = stage;
  connection.since = clock_.now();
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

LinkMachine::Peer* LinkMachine::in_session(NodeId node) {
  const auto found = peers_.find(node);
  return found == peers_.end() || !found->second.session ? nullptr : &found->second;
}

std::size_t LinkMachine::waiting_bytes() const {
  std::size_t bytes = 0;
  for (const NodeId node : waiting_) {
    if (const auto found = peers_.find(node); found != peers_.end())
      bytes += found->second.outbox.waiting_bytes();
  }
  return bytes;
}

}  // namespace cobus::link
