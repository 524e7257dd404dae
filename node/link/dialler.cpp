// SPDX-License-Identifier: Apache-2.0
#include "node/link/dialler.hpp"

#include <algorithm>
#include <utility>

namespace cobus::link {
namespace {

// A session that lived this long was a good one, unless it is one of many: the next dial may come at once.
constexpr Duration good_session = std::chrono::seconds(5);

}  // namespace

void Dialler::update(Goal goal, const Entry& entry) {
  const bool dialling = entry.attempt != ConnectionId::none;
  if (entry.wanted && !entry.is_connected && !dialling && !entry.endpoints.empty()) {
    pending_.insert(goal);
  } else {
    pending_.erase(goal);
  }
  if (dialling) {
    under_way_.insert(goal);
  } else {
    under_way_.erase(goal);
  }
}

void Dialler::set(Goal goal, std::vector<std::string> endpoints, CurveKey key) {
  Entry& entry = entries_[goal];
  if (entry.endpoints != endpoints || entry.key != key) {
    entry.endpoints = std::move(endpoints);
    entry.key = key;
    entry.turn = 0;
    entry.all_definite = true;
    entry.backoff = limits::redial_first;
    entry.not_before = {};
  }
  update(goal, entry);
}

void Dialler::remove(Goal goal) {
  entries_.erase(goal);
  pending_.erase(goal);
  under_way_.erase(goal);
}

std::optional<CurveKey> Dialler::key_of(Goal goal) const {
  const auto found = entries_.find(goal);
  if (found == entries_.end()) return std::nullopt;
  return found->second.key;
}

void Dialler::want(Goal goal, bool wanted) {
  const auto found = entries_.find(goal);
  if (found == entries_.end()) return;
  found->second.wanted = wanted;
  update(goal, found->second);
}

std::optional<Dialler::Attempt> Dialler::next(TimePoint now) const {
  for (const Goal& goal : pending_) {
    const Entry& entry = entries_.at(goal);
    if (entry.not_before <= now) return Attempt{goal, entry.endpoints[entry.turn], entry.key};
  }
  return std::nullopt;
}

void Dialler::started(Goal goal, ConnectionId connection) {
  const auto found = entries_.find(goal);
  if (found == entries_.end()) return;
  found->second.attempt = connection;
  update(goal, found->second);
}

void Dialler::back_off(Entry& entry, TimePoint now) {
  const bool session_waits = entry.lost_at && now < *entry.lost_at + limits::down_after;
  const Duration longest =
      session_waits ? std::min<Duration>(entry.backoff, limits::redial_session_max) : entry.backoff;
  // Never zero, so that failures that need no time do not spin.
  entry.not_before = now + std::max<Duration>(random_.jitter(longest), std::chrono::milliseconds(1));
  entry.backoff = std::min<Duration>(entry.backoff * 2, limits::redial_max);
}

bool Dialler::failed(Goal goal, TimePoint now, bool definite) {
  const auto found = entries_.find(goal);
  if (found == entries_.end()) return false;
  Entry& entry = found->second;
  entry.attempt = ConnectionId::none;
  entry.all_definite = entry.all_definite && definite;
  bool hopeless = false;
  if (++entry.turn >= entry.endpoints.size()) {
    entry.turn = 0;
    hopeless = std::exchange(entry.all_definite, true);
    back_off(entry, now);
  }
  update(goal, entry);
  return hopeless;
}

void Dialler::abandoned(Goal goal) { started(goal, ConnectionId::none); }

void Dialler::give_up(Goal goal) {
  const auto found = entries_.find(goal);
  if (found != entries_.end() && !found->second.was_connected) want(goal, false);
}

void Dialler::connected(Goal goal, TimePoint now) {
  const auto found = entries_.find(goal);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  entry.attempt = ConnectionId::none;
  entry.is_connected = true;
  entry.was_connected = true;
  entry.all_definite = true;
  entry.connected_at = now;
  update(goal, entry);
}

void Dialler::lost(Goal goal, TimePoint now) {
  const auto found = entries_.find(goal);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  // Who was connected is to be so again, as long as it is known.
  entry.wanted = true;
  entry.is_connected = false;
  entry.lost_at = now;
  entry.flapping.lost(now);
  if (now - entry.connected_at > good_session && !entry.flapping.unsteady(now))
    entry.backoff = limits::redial_first;
  back_off(entry, now);
  update(goal, entry);
}

ConnectionId Dialler::attempt(Goal goal) const {
  const auto found = entries_.find(goal);
  return found == entries_.end() ? ConnectionId::none : found->second.attempt;
}

std::optional<ConnectionId> Dialler::attempt_towards(NodeId node, const CurveKey& key) const {
  for (const Goal& goal : under_way_) {
    const Entry& entry = entries_.at(goal);
    if (goal == goal_of(node) || (goal.target != TargetId::none && entry.key == key)) return entry.attempt;
  }
  return std::nullopt;
}

TimePoint Dialler::due() const {
  TimePoint earliest = never;
  for (const Goal& goal : pending_) earliest = std::min(earliest, entries_.at(goal).not_before);
  return earliest;
}

}  // namespace cobus::link
