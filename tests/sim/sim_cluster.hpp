// SPDX-License-Identifier: Apache-2.0
//
// SimCluster: a broker and any number of nodes in one thread, on simulated time and a simulated network,
// from one seed. The same seed gives the same run, event for event.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/directory_service.hpp"
#include "broker/trust.hpp"
#include "node/cluster/membership.hpp"
#include "node/link/sim_transport.hpp"
#include "node/worker/node.hpp"
#include "tests/support/private_folder.hpp"

namespace cobus::sim {

// How often the session of a node with each other one began or ended: odd while it is up.
class Sessions final : public PeerListener {
 public:
  void on_peer_up(const link::PeerInfo& peer, link::TargetId /*target*/) override { ++changes_[peer.node]; }
  void on_peer_down(const link::PeerInfo& peer, const Status& /*reason*/) override { ++changes_[peer.node]; }
  void on_enrolled(const v1::Certificate& /*certificate*/) override {
    if (membership != nullptr) membership->refresh();
  }
  Membership* membership = nullptr;
  [[nodiscard]] std::uint64_t with(NodeId node) const {
    const auto found = changes_.find(node);
    return found == changes_.end() ? 0 : found->second;
  }

 private:
  std::map<NodeId, std::uint64_t> changes_;
};

// One simulated process.
struct Process {
  std::string host;
  Sessions sessions;  // outlives the node, which tells it
  TimePoint paused_until{};
  TimePoint held_until{};
  std::unique_ptr<PeerListener> departures;   // of a broker; the same
  std::unique_ptr<broker::KnownNodes> known;  // of a broker; the same
  std::unique_ptr<link::Transport> transport;
  std::unique_ptr<Node> node;
  std::unique_ptr<View> view;
  std::unique_ptr<Membership> membership;
  broker::DirectoryService* directory = nullptr;  // of a broker
};

class SimCluster {
 public:
  explicit SimCluster(std::uint64_t seed);
  ~SimCluster();

  // A broker and these nodes. True when every one of them knows all.
  [[nodiscard]] bool start(const std::vector<std::string>& nodes);
  // What is on the disk of a broker stays for its next life.
  void start_broker(const std::string& name = "broker");
  // Loses what is on the disk of a broker, or of a node.
  void lose_disk(const std::string& name);
  // Nodes that are started from now on dial these, instead of "broker" alone.
  void use_brokers(std::vector<std::string> names) { broker_names_ = std::move(names); }
  // How long the certificates are valid that processes get from now on; for ever if not said.
  void use_certificate_life(std::chrono::seconds life) { certificate_life_ = life; }
  // An administrator at `broker` revokes the keys of `name`.
  void revoke(const std::string& broker, const std::string& name);
  [[nodiscard]] const link::CurveKey& key_of(const std::string& name) { return seat_of(name).key; }
  [[nodiscard]] link::Revocations& revocations_of(const std::string& name);
  // What every node that is started from now on makes.
  void offer(Kind kind) { kinds_.push_back(std::move(kind)); }
  // A node with the shipped services, and with a label of so many bytes in its record. One that is started
  // again under its name has the same key and endpoint, and another node id.
  Process& start_node(const std::string& name, std::size_t label_bytes = 0);
  // How many shards the nodes have that are started from now on.
  void use_shards(unsigned shards) noexcept { shards_ = shards; }
  // Ends a process without a goodbye.
  void kill(const std::string& name);
  [[nodiscard]] Process& process(const std::string& name) { return *processes_.at(name); }
  // Null when there is none of that name.
  [[nodiscard]] Process* find(const std::string& name);
  [[nodiscard]] const std::map<std::string, std::unique_ptr<Process>>& processes() const noexcept {
    return processes_;
  }
  [[nodiscard]] link::SimNetwork& network() noexcept { return network_; }

  // Runs until `done` or until `longest` has passed in simulated time. True when done.
  bool run_until(const std::function<bool()>& done, Duration longest);
  void run_for(Duration time) {
    run_until([] { return false; }, time);
  }
  // Does not run a process for a while, as when it is stopped by its host; it and its peers are alive after
  // it.
  void pause(const std::string& name, Duration time);
  // For a while no worker of a process runs, as when each shard is held by a handler that blocks: only what
  // its watchdog does goes on.
  void hold(const std::string& name, Duration time);
  // Called whenever every process has made a step, before time goes on.
  void after_each_round(std::function<void()> function) { after_round_ = std::move(function); }
  // Whether `name`'s view holds exactly these nodes.
  [[nodiscard]] bool sees(const std::string& name, const std::vector<std::string>& nodes);
  // Whether the views of all of these do.
  [[nodiscard]] bool all_see(const std::vector<std::string>& nodes);
  // Grows with everything that happens; equal for equal runs.
  [[nodiscard]] std::uint64_t history() const noexcept { return history_; }
  // Makes something that a test saw a part of the history.
  void note(std::uint64_t what) noexcept { history_ = (history_ ^ what) * 0x100000001b3ULL; }

 private:
  // What a process has again when it is started again.
  struct Seat {
    std::string endpoint;
    link::CurveKey key;
    std::unique_ptr<link::Revocations> revocations;  // on its disk
  };
  std::unique_ptr<Process> make(const std::string& name, v1::Role role);
  [[nodiscard]] v1::Certificate certify(const std::string& name, v1::Role role, const link::CurveKey& key);
  broker::Trust& disk_of(const std::string& broker);
  Seat& seat_of(const std::string& name);

  link::SimNetwork network_;
  SeededRandom random_;
  link::ClusterSecret cluster_;
  std::map<std::string, std::unique_ptr<Process>> processes_;
  PrivateFolder folder_;
  std::map<std::string, std::unique_ptr<broker::Trust>> disks_;  // of brokers
  std::vector<std::string> broker_names_ = {"broker"};
  std::optional<std::chrono::seconds> certificate_life_;
  std::map<std::string, Seat> seats_;
  std::vector<Kind> kinds_;
  std::function<void()> after_round_;
  unsigned shards_ = 2;
  std::uint64_t history_ = 0xcbf29ce484222325ULL;
};

}  // namespace cobus::sim
