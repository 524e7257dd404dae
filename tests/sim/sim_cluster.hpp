// SPDX-License-Identifier: Apache-2.0
//
// SimCluster: a broker and any number of nodes in one thread, on simulated time and a simulated network,
// from one seed. The same seed gives the same run, event for event.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/directory_service.hpp"
#include "node/cluster/membership.hpp"
#include "node/link/sim_transport.hpp"
#include "node/worker/node.hpp"

namespace cobus::sim {

// One simulated process.
struct Process {
  std::string host;
  v1::Certificate certificate;
  std::unique_ptr<link::Transport> transport;
  std::unique_ptr<Node> node;
  std::unique_ptr<View> view;
  std::unique_ptr<Membership> membership;
};

class SimCluster {
 public:
  explicit SimCluster(std::uint64_t seed);
  ~SimCluster();

  void start_broker();
  // What every node that is started from now on makes.
  void offer(Kind kind) { kinds_.push_back(std::move(kind)); }
  // A node with the shipped services, and with a label of so many bytes in its record.
  Process& start_node(const std::string& name, std::size_t label_bytes = 0);
  // Ends a process without a goodbye.
  void kill(const std::string& name);
  [[nodiscard]] Process& process(const std::string& name) { return *processes_.at(name); }
  [[nodiscard]] link::SimNetwork& network() noexcept { return network_; }

  // Runs until `done` or until `longest` has passed in simulated time. True when done.
  bool run_until(const std::function<bool()>& done, Duration longest);
  void run_for(Duration time) {
    run_until([] { return false; }, time);
  }
  // Whether `name`'s view holds exactly these nodes.
  [[nodiscard]] bool sees(const std::string& name, const std::vector<std::string>& nodes);
  // Grows with everything that happens; equal for equal runs.
  [[nodiscard]] std::uint64_t history() const noexcept { return history_; }

 private:
  std::unique_ptr<Process> make(const std::string& name, v1::Role role, const std::string& endpoint);
  void note(std::uint64_t what) noexcept { history_ = (history_ ^ what) * 0x100000001b3ULL; }

  link::SimNetwork network_;
  SeededRandom random_;
  link::ClusterSecret cluster_;
  std::map<std::string, std::unique_ptr<Process>> processes_;
  std::unique_ptr<PeerListener> departures_;
  std::vector<Kind> kinds_;
  int hosts_ = 0;
  std::uint64_t history_ = 0xcbf29ce484222325ULL;
};

}  // namespace cobus::sim
