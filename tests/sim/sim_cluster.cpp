// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_cluster.hpp"

#include <algorithm>

#include "node/cluster/workers_service.hpp"
#include "node/observe/services.hpp"
#include "node/services/shipped.hpp"

namespace cobus::sim {
namespace {

const std::string broker_endpoint = "tcp://10.0.0.1:7700";

link::SecretKey seed_bytes(Random& random) {
  std::array<std::uint8_t, 32> bytes{};
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  return link::SecretKey(bytes);
}

class Departures final : public PeerListener {
 public:
  Departures(Node& node, broker::DirectoryService& directory) : node_(node), directory_(directory) {}
  void on_peer_up(const link::PeerInfo& /*peer*/, link::TargetId /*target*/) override {}
  void on_peer_down(const link::PeerInfo& peer, const Status& /*reason*/) override {
    node_.run_on(0, [this, lost = peer.node](Home&) { directory_.connection_lost(lost); });
  }

 private:
  Node& node_;
  broker::DirectoryService& directory_;
};

}  // namespace

SimCluster::SimCluster(std::uint64_t seed)
    : network_(seed), random_(seed * 31 + 7), cluster_(link::ClusterSecret::from_seed(seed_bytes(random_))) {}

SimCluster::~SimCluster() {
  // Nodes before the network they are attached to.
  departures_.reset();
  processes_.clear();
}

SimCluster::Seat& SimCluster::seat_of(const std::string& name) {
  const auto [found, is_new] = seats_.try_emplace(name);
  if (is_new) {
    found->second.endpoint = "tcp://10.0.0." + std::to_string(seats_.size() + 1) + ":7000";
    // Any bytes do for a public key: the simulated network does not encrypt.
    found->second.key.bytes = seed_bytes(random_).bytes();
  }
  return found->second;
}

std::unique_ptr<Process> SimCluster::make(const std::string& name, v1::Role role) {
  auto process = std::make_unique<Process>();
  process->host = name;
  link::Identity identity;
  identity.cluster = cluster_.key();
  std::string endpoint = broker_endpoint;
  if (role == v1::BROKER) {
    identity.pair = cluster_.broker_pair();
  } else {
    identity.pair.key = seat_of(name).key;
    endpoint = seat_of(name).endpoint;
  }
  v1::CertificateBody body;
  body.set_name(name);
  body.set_role(role);
  body.set_curve_key(identity.pair.key.bytes.data(), identity.pair.key.bytes.size());
  body.set_not_after(INT64_MAX);
  identity.certificate = cluster_.sign(body);
  process->certificate = *identity.certificate;
  process->transport = network_.attach(name, endpoint, identity.pair.key);
  NodeOptions options;
  options.name = name;
  options.role = role;
  options.shards = role == v1::BROKER ? 1 : shards_;
  options.pool_threads = 0;
  options.clock = &network_.clock();
  options.random = &random_;
  options.shuffle = true;
  process->node = std::make_unique<Node>(std::move(options), *process->transport, std::move(identity));
  process->node->add_peer_listener(&process->sessions);
  return process;
}

void SimCluster::start_broker() {
  auto process = make("broker", v1::BROKER);
  auto service = std::make_unique<broker::DirectoryService>(*process->node);
  departures_ = std::make_unique<Departures>(*process->node, *service);
  process->node->add_peer_listener(departures_.get());
  broker::DirectoryService* const directory = service.get();
  process->node->add_service(std::move(service));
  process->node->spawn("cobus.directory", &broker::DirectoryService::keep_time, directory);
  processes_.insert_or_assign("broker", std::move(process));
}

Process& SimCluster::start_node(const std::string& name, std::size_t label_bytes) {
  std::unique_ptr<Process> process = make(name, v1::NODE);
  const std::string endpoint = seat_of(name).endpoint;
  Node& node = *process->node;
  node.add_service(services::make_echo());
  node.add_service(services::make_text());
  node.add_service(services::make_primes());
  node.add_service(make_workers_service(node));
  for (const Kind& kind : kinds_) node.add_kind(kind);
  process->view = std::make_unique<View>(network_.clock());
  const auto describe = [&node, name, endpoint, label_bytes, certificate = process->certificate] {
    v1::NodeRecord record;
    record.set_node(static_cast<std::uint64_t>(node.id()));
    record.set_incarnation(node.incarnation());
    record.set_name(name);
    *record.mutable_certificate() = certificate;
    record.add_endpoints(endpoint);
    record.set_state(v1::UP);
    if (label_bytes > 0) (*record.mutable_labels())["note"] = std::string(label_bytes, 'x');
    for (v1::ServiceRecord& offer : describe_offers(node)) *record.add_services() = std::move(offer);
    return record;
  };
  process->membership = std::make_unique<Membership>(node, *process->view, Membership::Hooks{describe, {}});
  node.links().add_target({broker_endpoint}, link::broker_curve_key(cluster_.key()));
  return *processes_.insert_or_assign(name, std::move(process)).first->second;
}

Process* SimCluster::find(const std::string& name) {
  const auto found = processes_.find(name);
  return found == processes_.end() ? nullptr : found->second.get();
}

void SimCluster::pause(const std::string& name, Duration time) {
  Process& process = *processes_.at(name);
  process.paused_until = network_.clock().now() + time;
  network_.freeze(process.host, process.paused_until);
}

void SimCluster::kill(const std::string& name) {
  network_.kill(processes_.at(name)->host);
  if (name == "broker") departures_.reset();
  processes_.erase(name);
}

bool SimCluster::run_until(const std::function<bool()>& done, Duration longest) {
  const TimePoint end = network_.clock().now() + longest;
  while (!done()) {
    bool more = false;
    for (auto& [name, process] : processes_) {
      if (process->paused_until > network_.clock().now()) continue;
      more = process->node->step() || more;
      note(process->node->links().counters().frames_received);
    }
    if (after_round_) after_round_();
    if (more) {
      // Work takes time: what runs for ever at one instant would never let the network in.
      network_.clock().advance(std::chrono::microseconds(1));
      continue;
    }
    if (network_.clock().now() >= end) return false;
    TimePoint next = network_.next_event();
    for (auto& [name, process] : processes_) {
      const bool paused = process->paused_until > network_.clock().now();
      next = std::min(next, paused ? process->paused_until : process->node->next_due());
    }
    network_.clock().advance_to(std::min(std::max(next, network_.clock().now() + Duration(1000)), end));
    note(static_cast<std::uint64_t>(network_.clock().now().time_since_epoch().count()));
  }
  return true;
}

bool SimCluster::sees(const std::string& name, const std::vector<std::string>& nodes) {
  std::vector<std::string> seen;
  for (const v1::NodeRecord& record : process(name).view->nodes()) seen.push_back(record.name());
  return seen == nodes;
}

}  // namespace cobus::sim
