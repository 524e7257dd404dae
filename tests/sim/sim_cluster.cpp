// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_cluster.hpp"

#include <algorithm>
#include <stdexcept>

#include "broker/admin_service.hpp"
#include "node/cluster/workers_service.hpp"
#include "node/link/identity.hpp"
#include "node/observe/services.hpp"
#include "node/services/shipped.hpp"

namespace cobus::sim {
namespace {

// Brokers are called "broker", "broker2", "broker3"...
std::string endpoint_of_broker(const std::string& name) {
  return "tcp://10.0." + std::to_string(name.back() == 'r' ? 0 : name.back() - '0') + ".1:7700";
}

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
  void on_peer_suspected(const link::PeerInfo& peer, bool suspected) override {
    node_.run_on(0, [this, node = peer.node, suspected](Home&) { directory_.suspect(node, suspected); });
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
  std::string endpoint = endpoint_of_broker(name);
  if (role == v1::BROKER) {
    identity.pair = cluster_.broker_pair();
  } else {
    identity.pair.key = seat_of(name).key;
    endpoint = seat_of(name).endpoint;
  }
  identity.certificate = certify(name, role, identity.pair.key);
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

v1::Certificate SimCluster::certify(const std::string& name, v1::Role role, const link::CurveKey& key) {
  v1::CertificateBody body;
  body.set_name(name);
  body.set_role(role);
  body.set_curve_key(key.bytes.data(), key.bytes.size());
  body.set_not_after(INT64_MAX);
  if (certificate_life_ && role != v1::BROKER) {
    const std::int64_t now_s = network_.clock().unix_us() / 1'000'000;
    body.set_not_before(now_s);
    body.set_not_after(now_s + certificate_life_->count());
  }
  return cluster_.sign(body);
}

broker::Trust& SimCluster::disk_of(const std::string& broker) {
  std::unique_ptr<broker::Trust>& trust = disks_[broker];
  if (trust != nullptr) return *trust;
  const std::filesystem::path folder = folder_.path() / broker;
  static_cast<void>(link::make_private_folder(folder));
  auto opened = broker::Trust::open(folder, link::ClusterSecret::from_seed(cluster_.seed().clone()),
                                    certificate_life_.value_or(std::chrono::hours(24 * 365)), random_,
                                    network_.clock().unix_us() / 1'000'000);
  if (!opened) throw std::runtime_error(opened.error().to_string());
  trust = std::move(*opened);
  return *trust;
}

void SimCluster::lose_disk(const std::string& name) {
  disks_.erase(name);
  std::filesystem::remove_all(folder_.path() / name);
  if (const auto seat = seats_.find(name); seat != seats_.end()) seat->second.revocations.reset();
}

link::Revocations& SimCluster::revocations_of(const std::string& name) {
  if (name.starts_with("broker")) return disk_of(name).revocations();
  std::unique_ptr<link::Revocations>& kept = seat_of(name).revocations;
  if (kept == nullptr) kept = std::make_unique<link::Revocations>(cluster_.key());
  return *kept;
}

void SimCluster::revoke(const std::string& broker, const std::string& name) {
  Process& process = *processes_.at(broker);
  process.node->run_on(0, [this, broker, name, directory = process.directory](Home&) {
    broker::Issued issued{.name = name, .role = v1::NODE, .key = seat_of(name).key};
    const std::int64_t now_s = network_.clock().unix_us() / 1'000'000;
    directory->revoke(disk_of(broker).revoke({{issued}}, "for the test", now_s).value());
    if (!disk_of(broker).revocations().save().ok()) throw std::runtime_error("not written down");
  });
}

void SimCluster::start_broker(const std::string& name) {
  auto process = make(name, v1::BROKER);
  static_cast<void>(disk_of(name));
  process->known = std::make_unique<broker::KnownNodes>(folder_.path() / name / "nodes");
  auto service =
      std::make_unique<broker::DirectoryService>(*process->node, revocations_of(name), process->known.get());
  process->departures = std::make_unique<Departures>(*process->node, *service);
  process->node->add_peer_listener(process->departures.get());
  process->directory = service.get();
  process->node->add_service(std::move(service));
  process->node->add_service(std::make_unique<broker::CertificatesService>(*process->node, disk_of(name)));
  process->node->spawn("cobus.directory", &broker::DirectoryService::keep_time, process->directory);
  process->node->spawn("cobus.known", &broker::DirectoryService::keep_known, process->directory);
  processes_.insert_or_assign(name, std::move(process));
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
  const auto describe = [&node, name, endpoint, label_bytes, offered = describe_offers(node)] {
    v1::NodeRecord record;
    record.set_node(static_cast<std::uint64_t>(node.id()));
    record.set_incarnation(node.incarnation());
    record.set_name(name);
    *record.mutable_certificate() = node.links().certificate().value_or(v1::Certificate());
    record.add_endpoints(endpoint);
    record.set_state(v1::UP);
    if (label_bytes > 0) (*record.mutable_labels())["note"] = std::string(label_bytes, 'x');
    for (const v1::ServiceRecord& service : offered) *record.add_services() = service;
    return record;
  };
  process->membership = std::make_unique<Membership>(node, *process->view, Membership::Hooks{describe, {}},
                                                     &revocations_of(name));
  process->sessions.membership = process->membership.get();
  for (const std::string& broker : broker_names_)
    node.links().add_target({endpoint_of_broker(broker)}, link::broker_curve_key(cluster_.key()));
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

void SimCluster::hold(const std::string& name, Duration time) {
  processes_.at(name)->held_until = network_.clock().now() + time;
}

void SimCluster::kill(const std::string& name) {
  network_.kill(processes_.at(name)->host);
  processes_.erase(name);
}

bool SimCluster::run_until(const std::function<bool()>& done, Duration longest) {
  const TimePoint end = network_.clock().now() + longest;
  while (!done()) {
    bool more = false;
    for (auto& [name, process] : processes_) {
      if (process->paused_until > network_.clock().now()) continue;
      if (process->held_until > network_.clock().now()) {
        process->node->step_watchdog();
      } else {
        more = process->node->step() || more;
      }
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
      const TimePoint now = network_.clock().now();
      if (process->paused_until > now) {
        next = std::min(next, process->paused_until);
      } else if (process->held_until > now) {
        next = std::min(
            {next, process->held_until, now + limits::keeper_after, process->node->links().next_due()});
      } else {
        next = std::min(next, process->node->next_due());
      }
    }
    network_.clock().advance_to(std::min(std::max(next, network_.clock().now() + Duration(1000)), end));
    note(static_cast<std::uint64_t>(network_.clock().now().time_since_epoch().count()));
  }
  return true;
}

bool SimCluster::start(const std::vector<std::string>& nodes) {
  start_broker();
  for (const std::string& name : nodes) start_node(name);
  return run_until([&] { return all_see(nodes); }, std::chrono::seconds(10));
}

bool SimCluster::all_see(const std::vector<std::string>& nodes) {
  return std::ranges::all_of(nodes, [&](const std::string& name) { return sees(name, nodes); });
}

bool SimCluster::sees(const std::string& name, const std::vector<std::string>& nodes) {
  std::vector<std::string> seen;
  for (const v1::NodeRecord& record : process(name).view->nodes()) seen.push_back(record.name());
  return seen == nodes;
}

}  // namespace cobus::sim
