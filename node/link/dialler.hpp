// SPDX-License-Identifier: Apache-2.0
//
// Dialler: decides whom to dial, where and when. It knows targets (to be connected for ever) and nodes
// from the directory (to be connected when wanted), goes through their endpoints in turn and backs
// off with full jitter after each round of failures. It does no I/O and reads no clock: LinkMachine
// dials and tells it what became of it.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/link/flapping.hpp"
#include "node/link/links.hpp"
#include "proto/limits.hpp"

namespace cobus::link {

// Whom a dial is for: exactly one of the two is set; neither for a connection that others dialled.
struct Goal {
  TargetId target = TargetId::none;
  NodeId node = NodeId::none;
  [[nodiscard]] explicit operator bool() const noexcept { return *this != Goal{}; }
  friend auto operator<=>(const Goal&, const Goal&) = default;
};
[[nodiscard]] inline Goal goal_of(TargetId target) noexcept { return {target, NodeId::none}; }
[[nodiscard]] inline Goal goal_of(NodeId node) noexcept { return {TargetId::none, node}; }

class Dialler {
 public:
  explicit Dialler(Random& random) noexcept : random_(random) {}

  struct Attempt {
    Goal goal;
    std::string endpoint;
    CurveKey key;
  };

  // Knows `goal` from now on; the same endpoints and key again change nothing.
  void set(Goal goal, std::vector<std::string> endpoints, CurveKey key);
  void remove(Goal goal);
  [[nodiscard]] bool knows(Goal goal) const { return entries_.contains(goal); }
  [[nodiscard]] std::optional<CurveKey> key_of(Goal goal) const;

  // Whether `goal` is to be dialled when it is not connected. Unknown goals are ignored, here and below.
  void want(Goal goal, bool wanted);

  // The next attempt to start at `now`, if any; started() or failed() must follow.
  [[nodiscard]] std::optional<Attempt> next(TimePoint now) const;
  void started(Goal goal, ConnectionId connection);
  // An attempt failed. True when this ended a round over all endpoints in which each gave a `definite`
  // answer, so that trying again at once would not help.
  bool failed(Goal goal, TimePoint now, bool definite);
  // The attempt was given up by ourselves; no back-off.
  void abandoned(Goal goal);
  // What `goal` was wanted for is gone: it is not dialled until wanted again, unless it was connected
  // before.
  void give_up(Goal goal);
  void connected(Goal goal, TimePoint now);
  // A connection ended; `goal` is dialled again soon, the later the shorter it had been up and the more often
  // that happened lately; for the down time at least every limits::redial_session_max, since a session may
  // wait for it.
  void lost(Goal goal, TimePoint now);

  // The attempt for `goal` that is under way.
  [[nodiscard]] ConnectionId attempt(Goal goal) const;
  // The attempt under way, if there is one, that may reach the node `node` with `key`: one for it, or one
  // for a target with that key.
  [[nodiscard]] std::optional<ConnectionId> attempt_towards(NodeId node, const CurveKey& key) const;

  // When next() will have something, as far as is known now.
  [[nodiscard]] TimePoint due() const;

 private:
  struct Entry {
    std::vector<std::string> endpoints;
    CurveKey key;
    std::size_t turn = 0;      // the endpoint to dial next
    bool all_definite = true;  // in this round
    bool wanted = false;
    bool is_connected = false;
    bool was_connected = false;
    ConnectionId attempt = ConnectionId::none;
    Duration backoff = limits::redial_first;
    TimePoint not_before{};
    TimePoint connected_at{};
    std::optional<TimePoint> lost_at;
    Flapping flapping;
  };
  void back_off(Entry& entry, TimePoint now);
  void update(Goal goal, const Entry& entry);

  Random& random_;
  std::map<Goal, Entry> entries_;
  std::set<Goal> pending_;    // wanted, neither connected nor being dialled
  std::set<Goal> under_way_;  // being dialled
};

}  // namespace cobus::link
