// SPDX-License-Identifier: Apache-2.0
//
// The part of LinkMachine that time drives: beats, silence, and whatever waited long enough.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "node/link/link_machine.hpp"
#include "proto/limits.hpp"

namespace cobus::link {
namespace {

using std::chrono::milliseconds;

// How long the last words have to get out before the connection is closed.
constexpr Duration linger = milliseconds(100);
// How long somebody is held because of a dial of ours. One that takes longer carries nothing, as it seems:
// the connection may have been forgotten on the way.
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
    case Stage::enrolling:
    case Stage::probation:
      return connection.since + limits::handshake_timeout;
    case Stage::up:
      return never;  // its session's business
  }
  return never;
}

TimePoint LinkMachine::deadline_of(const Peer& peer) const {
  TimePoint due =
      peer.received + doubt_.patience(peer.suspected ? limits::down_after : limits::suspect_after);
  if (peer.up == ConnectionId::none)
    return may_be_dialled(peer) ? due : std::min(due, peer.detached + doubt_.patience(limits::return_within));
  due = std::min(due, peer.sent + limits::beat_interval);
  if (peer.owed != 0) due = std::min(due, peer.owed_since + limits::acknowledge_after);
  return due;
}

void LinkMachine::run_timers(TimePoint now) {
  next_timer_ = never;
  doubt_.pass(now);
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
  arm(doubt_.next_change());
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
      const bool ends = !attempt || find(*attempt) == nullptr;
      if (ends || now - connection.since >= hold_max) answer(connection);
      return;
    }
    case Stage::enrolling:
      refuse(connection, connection.peer.key,
             {Code::unavailable, "the broker has not written the certificate down yet; try again"});
      return;
    case Stage::probation:
    case Stage::leaving:
      drop(connection);
      return;
    case Stage::up:
      return;
  }
}

bool LinkMachine::is_lost(const Peer& peer, TimePoint now) const {
  if (now - peer.received >= doubt_.patience(limits::down_after)) return true;
  return peer.up == ConnectionId::none && !may_be_dialled(peer) &&
         now - peer.detached >= doubt_.patience(limits::return_within);
}

void LinkMachine::expire(Peer& peer, TimePoint now) {
  if (is_lost(peer, now)) {
    const std::string why =
        peer.up == ConnectionId::none
            ? std::string(peer.lost.message()) + ", and it did not come back"
            : fmt::format("no sign of life for {} s", (now - peer.received) / std::chrono::seconds(1));
    return end_session(peer, {Code::unavailable, why});
  }
  if (now - peer.received >= doubt_.patience(limits::suspect_after) && !peer.suspected) suspect(peer);
  if (peer.up == ConnectionId::none) return;
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

void LinkMachine::came_late(Duration by) {
  const TimePoint now = clock_.now();
  ++counters_.late;
  doubt_.came_late(now, by);
  if (told_late_.due("late", now)) {
    spdlog::warn(
        "the link of this node was attended to {:.1f} s late: until it is in time again it gives others "
        "up to {} times as long before it takes them for down; the process was stopped, or is short of CPU",
        std::chrono::duration<double>(by).count(), 1 + limits::doubt_max);
  }
  arm(doubt_.next_change());
  for (auto& [id, connection] : connections_) connection.since = std::min(now, connection.since + by);
  for (auto& [node, peer] : peers_) {
    peer.detached = std::min(now, peer.detached + by);
    // Not after a shorter one: who is late all the time would never notice anything.
    if (by >= limits::down_after) peer.received = std::min(now, peer.received + by);
  }
}

}  // namespace cobus::link
