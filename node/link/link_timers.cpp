// SPDX-License-Identifier: Apache-2.0
//
// The part of LinkMachine that time drives: beats, silence, and whatever waited long enough.
#include <fmt/format.h>

#include <algorithm>

#include "node/link/link_machine.hpp"
#include "proto/limits.hpp"

namespace cobus::link {
namespace {

using std::chrono::milliseconds;

// How long the last words have to get out before the connection is closed.
constexpr Duration linger = milliseconds(100);
// How long somebody is held because of a dial of ours that does not even open.
constexpr Duration hold_max = milliseconds(1000);
// Timers are looked at so often at most.
constexpr Duration timer_step = milliseconds(10);

}  // namespace

TimePoint LinkMachine::deadline_of(const Connection& connection) noexcept {
  switch (connection.stage) {
    case Stage::held:
      return connection.since;  // looked at each time
    case Stage::leaving:
      return connection.since + linger;
    case Stage::opening:
    case Stage::greeted:
      return connection.since +
             (connection.is_urgent ? limits::session_handshake_timeout : limits::handshake_timeout);
    case Stage::probation:
      return connection.since + limits::handshake_timeout;
    case Stage::up:
      return never;  // its session's business
  }
  return never;
}

TimePoint LinkMachine::deadline_of(const Peer& peer) const {
  const TimePoint down = peer.received + limits::down_after;
  if (peer.up == ConnectionId::none)
    return may_be_dialled(peer) ? down : std::min(down, peer.detached + limits::return_within);
  TimePoint due = std::min(peer.suspected ? down : peer.received + limits::suspect_after,
                           peer.sent + limits::beat_interval);
  if (peer.owed != 0) due = std::min(due, peer.owed_since + limits::acknowledge_after);
  return due;
}

void LinkMachine::run_timers(TimePoint now) {
  next_timer_ = never;
  std::vector<ConnectionId> due;
  for (const auto& [id, connection] : connections_) {
    if (deadline_of(connection) <= now) due.push_back(id);
  }
  for (const ConnectionId id : due) {
    if (Connection* connection = find(id)) expire(*connection, now);
  }
  std::vector<NodeId> peers_due;
  for (const auto& [node, peer] : peers_) {
    if (peer.session && deadline_of(peer) <= now) peers_due.push_back(node);
  }
  for (const NodeId node : peers_due) {
    if (Peer* peer = in_session(node)) expire(*peer, now);
  }
  expire_waiting(now);
  expire_certificates();
  for (const auto& [id, connection] : connections_) arm(deadline_of(connection));
  for (const auto& [node, peer] : peers_) {
    if (peer.session) arm(deadline_of(peer));
  }
  next_timer_ = std::max(next_timer_, now + timer_step);
}

void LinkMachine::expire(Connection& connection, TimePoint now) {
  switch (connection.stage) {
    case Stage::opening:
    case Stage::greeted:
      end_attempt(connection, {Code::unavailable, std::string(close_reason_text(CloseReason::timed_out))},
                  false);
      return;
    case Stage::held: {
      const auto attempt = dialler_.attempt_towards(connection.peer.node, connection.peer.key);
      const Connection* ours = attempt ? find(*attempt) : nullptr;
      const bool opens =
          ours != nullptr && (ours->stage == Stage::greeted || now - connection.since < hold_max);
      if (!opens) answer(connection);
      return;
    }
    case Stage::probation:
    case Stage::leaving:
      drop(connection);
      return;
    case Stage::up:
      return;
  }
}

void LinkMachine::expire(Peer& peer, TimePoint now) {
  if (peer.up == ConnectionId::none) {
    return end_session(peer,
                       {Code::unavailable, std::string(peer.lost.message()) + ", and it did not come back"});
  }
  if (now - peer.received >= limits::down_after) {
    return end_session(peer, {Code::unavailable, fmt::format("no sign of life for {} s",
                                                             limits::down_after / std::chrono::seconds(1))});
  }
  if (now - peer.received >= limits::suspect_after && !peer.suspected) suspect(peer);
  const bool owes = peer.owed != 0 && now - peer.owed_since >= limits::acknowledge_after;
  if (owes || now - peer.sent >= limits::beat_interval) beat(peer);
}

void LinkMachine::expire_waiting(TimePoint now) {
  std::vector<NodeId> late;
  for (const NodeId node : waiting_) {
    const auto found = peers_.find(node);
    if (found == peers_.end() || found->second.session) continue;
    const TimePoint deadline = found->second.waiting_since + limits::down_after;
    if (deadline <= now) {
      late.push_back(node);
    } else {
      arm(deadline);
    }
  }
  for (const NodeId node : late) {
    return_waiting(node, {Code::unavailable,
                          fmt::format("cannot reach node {}: no connection within {} s", to_string(node),
                                      limits::down_after / std::chrono::seconds(1))});
  }
}

void LinkMachine::excuse(Duration lateness) {
  const TimePoint now = clock_.now();
  for (auto& [id, connection] : connections_) connection.since = std::min(now, connection.since + lateness);
  for (auto& [node, peer] : peers_) {
    peer.received = std::min(now, peer.received + lateness);
    peer.detached = std::min(now, peer.detached + lateness);
  }
}

}  // namespace cobus::link
