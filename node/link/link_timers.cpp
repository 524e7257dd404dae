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

// How long the words of a refusal have to get out before the connection is closed.
constexpr Duration refusal_linger = milliseconds(100);
// How long somebody is held because of a dial of ours that does not even open.
constexpr Duration hold_max = milliseconds(1000);
// Timers are looked at so often at most.
constexpr Duration timer_step = milliseconds(10);

}  // namespace

void LinkMachine::beat(Connection& connection) {
  buffer_.clear();
  connection.session.write_beat(buffer_);
  if (transmit(connection, buffer_) != SendOutcome::sent) connection.sent = clock_.now();
}

TimePoint LinkMachine::deadline_of(const Connection& connection) noexcept {
  switch (connection.stage) {
    case Stage::held:
      return connection.since;  // looked at each time
    case Stage::refused:
      return connection.since + refusal_linger;
    case Stage::up:
      return std::min(connection.received + limits::down_after, connection.sent + limits::beat_interval);
    case Stage::opening:
    case Stage::greeted:
    case Stage::probation:
      return connection.since + limits::handshake_timeout;
  }
  return never;
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
  expire_waiting(now);
  for (const auto& [id, connection] : connections_) arm(deadline_of(connection));
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
    case Stage::refused:
      drop(connection);
      return;
    case Stage::up:
      if (now - connection.received >= limits::down_after) {
        end_session(connection,
                    {Code::unavailable,
                     fmt::format("no sign of life for {} s", limits::down_after / std::chrono::seconds(1))});
      } else {
        beat(connection);
      }
      return;
  }
}

void LinkMachine::expire_waiting(TimePoint now) {
  std::vector<NodeId> late;
  for (const NodeId node : waiting_) {
    if (peer_up(node) != nullptr) continue;
    const TimePoint deadline = peers_.at(node).waiting_since + limits::down_after;
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
  for (auto& [id, connection] : connections_) {
    connection.received = std::min(now, connection.received + lateness);
    connection.since = std::min(now, connection.since + lateness);
  }
}

}  // namespace cobus::link
