// SPDX-License-Identifier: Apache-2.0
//
// Chaos: one run of a whole cluster from a seed. A broker and 5 to 8 nodes of 1 to 3 shards are cut off,
// slowed, disconnected, killed and started again (chaos.cpp), while workers talk, watch, link and call one
// another (chaos_workers.cpp) and supervisors keep children anywhere (chaos_families.cpp). What they see goes
// into the books of the checkers. Then all is healed, and has to come to rest.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/worker/self.hpp"
#include "tests/sim/checkers.hpp"
#include "tests/sim/sim_cluster.hpp"

namespace cobus::sim {

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed);
  ~Chaos();
  Chaos(const Chaos&) = delete;
  Chaos& operator=(const Chaos&) = delete;

  // Makes trouble for so long.
  void rage(Duration time);
  // Ends the trouble. Complains when the cluster does not become whole again, or keeps what it should not.
  void calm_down();
  // Stops all workers, and complains of what is left.
  void stop();

  // A child of a supervisor, as it was made.
  struct Instance {
    std::uint64_t family = 0;
    unsigned child = 0;
    friend auto operator<=>(const Instance&, const Instance&) = default;
  };
  // A supervisor with what is expected of it.
  struct Family {
    Address address;  // empty: not begun, or over
    unsigned children = 0;
    std::optional<RestartBook> restarts;
    bool over = false;
  };

  // For the workers.
  [[nodiscard]] TimePoint now() { return cluster.network().clock().now(); }
  [[nodiscard]] bool once_in(std::uint64_t times) { return random.below(times) == 0; }
  [[nodiscard]] Duration up_to(Duration longest) { return random.jitter(longest); }
  [[nodiscard]] std::uint64_t session(NodeId from, NodeId to);
  // Until when `node` was or is paused; the beginning of time if it never was.
  [[nodiscard]] TimePoint paused_until(NodeId node);
  // One of the workers that talk, as likely as not one that is gone. Empty before there is one.
  [[nodiscard]] Address somebody();
  [[nodiscard]] NodeId some_node();
  void saw(std::uint64_t what) { cluster.note(what); }

  SeededRandom random;
  Complaints complaints;
  PairOrder order{complaints};
  MonitorBook monitors{complaints};
  CallBook calls{complaints};
  bool calm = false;                      // nobody begins anything new
  bool at_peace = false;                  // and the network and all nodes are there
  std::vector<Address> talkers;           // ever born
  std::map<NodeId, std::size_t> talking;  // how many live at each node
  std::map<Address, Instance> instances;  // living
  std::map<Address, Address> guests;      // living, and who had each made
  std::map<std::uint64_t, Family> families;
  std::map<std::string, std::uint64_t> counts;  // of what happened, so that a test sees that it did
  SimCluster cluster;

 private:
  void trouble();
  void weather();
  void part();
  void pause_process(const std::string& name);
  void kill_process(const std::string& name);
  void kill_worker();
  void start(const std::string& name);
  void mend(bool all);
  void populate();
  void watch_families();
  [[nodiscard]] Process* process_of(NodeId node);
  [[nodiscard]] bool whole();
  void check_families();
  [[nodiscard]] const std::string& any_name() { return names_[random.below(names_.size())]; }

  std::vector<std::string> names_;         // of all processes, the broker last
  std::map<std::string, TimePoint> gone_;  // and when each comes back
  TimePoint whole_again_ = never;          // when the parts are
  std::uint64_t last_family_ = 0;
};

// The workers.
Task<> talker(Self self, Chaos* chaos);
Task<> call_worker_once(Self self, Chaos* chaos, Address to);
Task<> call_method_once(Self self, Chaos* chaos, NodeId to);
Task<> stream_once(Self self, Chaos* chaos, NodeId to);
// Has a guest made at another node, linked to it, and breaks a while later.
Task<> host(Self self, Chaos* chaos, NodeId to);
// Keeps one supervisor, and hears of its end.
Task<> family(Self self, Chaos* chaos, std::uint64_t number);
// The kinds that nodes make: children of supervisors, and guests.
[[nodiscard]] Kind child_kind(Chaos* chaos);
[[nodiscard]] Kind guest_kind(Chaos* chaos);

// What one end of a monitor or link has and the other has not, and what a home holds for nobody
// (leaks.cpp).
void complain_of_one_sided_bonds(SimCluster& cluster, Complaints& complaints);
void complain_of_what_is_left(SimCluster& cluster, Complaints& complaints);

}  // namespace cobus::sim
