// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/chaos.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "node/worker/supervisor_face.hpp"
#include "tests/sim/seeds.hpp"

namespace cobus::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t talkers_of_node = 3;
constexpr std::size_t families_at_once = 3;
const std::string broker_name = "broker";

}  // namespace

Chaos::Chaos(std::uint64_t seed) : random(seed * 977 + 3), cluster(seed) {
  // Thousands of workers break here. Who replays one seed wants to read of them.
  spdlog::set_level(replays_one_seed() ? spdlog::level::debug : spdlog::level::off);
  cluster.offer(child_kind(this));
  cluster.offer(guest_kind(this));
  cluster.after_each_round([this] { watch_families(); });
  for (std::uint64_t i = 0, nodes = 5 + random.below(4); i < nodes; ++i)
    names_.push_back(fmt::format("node-{}", i));
  names_.push_back(broker_name);
  start(broker_name);
  for (const std::string& name : names_) {
    if (name != broker_name) start(name);
  }
  if (!cluster.run_until([this] { return whole(); }, seconds(20)))
    complaints.add("the cluster never came up");
}

Chaos::~Chaos() { spdlog::set_level(spdlog::level::info); }

void Chaos::start(const std::string& name) {
  if (name == broker_name) return cluster.start_broker();
  cluster.use_shards(1 + static_cast<unsigned>(random.below(3)));
  cluster.start_node(name);
}

Process* Chaos::process_of(NodeId node) {
  for (const auto& [name, process] : cluster.processes()) {
    if (process->node->id() == node) return process.get();
  }
  return nullptr;
}

std::uint64_t Chaos::session(NodeId from, NodeId to) {
  if (from == to) return 1;
  const Process* const process = process_of(from);
  return process == nullptr ? 0 : process->sessions.with(to);
}

TimePoint Chaos::paused_until(NodeId node) {
  const Process* const process = process_of(node);
  return process == nullptr ? TimePoint{} : process->paused_until;
}

Address Chaos::somebody() {
  if (talkers.empty()) return {};
  Address chosen = talkers[random.below(talkers.size())];
  if (!once_in(8)) {
    const std::size_t recent = std::min<std::size_t>(talkers.size(), 2 * talkers_of_node * names_.size());
    chosen = talkers[talkers.size() - 1 - random.below(recent)];
  }
  // On a shard that there is not.
  if (once_in(50)) chosen.worker = WorkerId::make(200, 1, 1);
  return chosen;
}

NodeId Chaos::some_node() {
  const Process* const process = cluster.find(any_name());
  return process == nullptr ? NodeId{1 + random.below(1000)} : process->node->id();
}

void Chaos::rage(Duration time) {
  const TimePoint end = now() + time;
  while (now() < end) {
    populate();
    cluster.run_for(milliseconds(20) + up_to(milliseconds(200)));
    mend(false);
    if (once_in(3)) trouble();
  }
}

void Chaos::trouble() {
  const std::string& one = any_name();
  const std::string& other = any_name();
  switch (random.below(11)) {
    case 0:
    case 1:
      ++counts["broken"];
      return cluster.network().break_connections(one, other);
    case 2:
      ++counts["broken on one side"];
      return cluster.network().break_half(one, other);
    case 3:
    case 4:
      return part();
    case 5:
    case 6:
      return kill_process(one);
    case 7:
      return kill_worker();
    case 8:
      return pause_process(one);
    default:
      return weather();
  }
}

void Chaos::weather() {
  link::SimOptions& options = cluster.network().options();
  options.latency_max = milliseconds(1) + up_to(milliseconds(40));
  options.break_one_in = once_in(2) ? 0 : 200 + random.below(3000);
  options.slow_one_in = once_in(2) ? 0 : 50 + random.below(500);
  options.slow_max = milliseconds(10) + up_to(seconds(3));
}

// Two groups that do not hear each other, shorter or longer than it takes to notice.
void Chaos::part() {
  if (whole_again_ != never) return;
  ++counts["parted"];
  whole_again_ = now() + up_to(seconds(9));
  std::vector<bool> left;
  for (std::size_t i = 0; i < names_.size(); ++i) left.push_back(once_in(2));
  for (std::size_t i = 0; i < names_.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (left[i] != left[j]) cluster.network().cut(names_[i], names_[j]);
    }
  }
}

// Shorter or longer than its peers wait for a sign of life.
void Chaos::pause_process(const std::string& name) {
  if (gone_.contains(name)) return;
  ++counts["paused"];
  cluster.pause(name, up_to(once_in(2) ? milliseconds(500) : milliseconds(9000)));
}

void Chaos::kill_process(const std::string& name) {
  if (gone_.size() > 1 || gone_.contains(name)) return;
  ++counts[name == broker_name ? "broker killed" : "node killed"];
  cluster.kill(name);
  gone_.emplace(name, now() + up_to(seconds(5)));
}

void Chaos::kill_worker() {
  Address target = somebody();
  if (once_in(2)) {
    for (const auto& [number, its] : families) {
      if (!its.over && once_in(2)) target = its.address;
    }
  }
  Process* const process = process_of(target.node);
  if (process == nullptr) return;
  ++counts["worker killed"];
  process->node->run_on(0, [target](Home& home) { home.kill(target, "by the chaos"); });
}

void Chaos::mend(bool all) {
  if (all || now() >= whole_again_) {
    cluster.network().heal_all();
    whole_again_ = never;
  }
  std::erase_if(gone_, [&](const auto& entry) {
    if (!all && now() < entry.second) return false;
    start(entry.first);
    return true;
  });
}

void Chaos::populate() {
  for (const auto& [name, process] : cluster.processes()) {
    if (name != broker_name && talking[process->node->id()] < talkers_of_node)
      process->node->spawn("chaos.talker", &talker, this);
  }
  const auto active = std::ranges::count_if(families, [](const auto& entry) { return !entry.second.over; });
  Process* const process = cluster.find(any_name());
  if (calm || static_cast<std::size_t>(active) >= families_at_once || process == nullptr) return;
  if (process->host != broker_name) process->node->spawn("chaos.family", &family, this, ++last_family_);
}

void Chaos::watch_families() {
  for (auto& [number, its] : families) {
    if (its.over || !its.address) continue;
    Process* const process = process_of(its.address.node);
    if (process == nullptr) continue;
    const Worker* const worker = process->node->home(its.address.worker.shard()).find(its.address.worker);
    if (worker != nullptr && worker->bonds != nullptr && worker->bonds->supervisor != nullptr)
      its.restarts->sees(worker->bonds->supervisor->shown().restarts, now());
  }
}

bool Chaos::whole() {
  std::vector<std::string> nodes(names_.begin(), names_.end() - 1);
  return std::ranges::all_of(nodes, [&](const std::string& name) { return cluster.sees(name, nodes); });
}

void Chaos::calm_down() {
  calm = true;
  for (const auto& [name, process] : cluster.processes()) cluster.pause(name, Duration(0));
  cluster.network().options() = link::SimOptions{};
  mend(true);
  if (!cluster.run_until([this] { return whole(); }, seconds(30)))
    complaints.add("not every node sees every other one, 30 s after all was healed");
  populate();
  // Longer than the longest call, and than it takes to notice that a session is gone.
  cluster.run_for(seconds(9));
  at_peace = true;
  cluster.run_for(seconds(6));
  order.finish();
  calls.finish();
  monitors.finish();
  check_families();
  complain_of_one_sided_bonds(cluster, complaints);
}

// Each child of a supervisor that goes on is there once; of one that is over there is none.
void Chaos::check_families() {
  std::map<Instance, int> there;
  for (const auto& [address, instance] : instances) {
    ++there[instance];
    if (families[instance.family].over)
      complaints.add(fmt::format("child {} of supervisor {} lives on at {} without it", instance.child,
                                 instance.family, to_string(address)));
  }
  for (const auto& [guest, of] : guests) {
    if (!monitors.lives(of))
      complaints.add(
          fmt::format("{} lives on as the guest of {}, which is gone", to_string(guest), to_string(of)));
  }
  for (const auto& [number, its] : families) {
    counts["restarts"] += its.restarts->restarts();
    for (unsigned child = 0; child < its.children && !its.over; ++child) {
      if (const int times = there[{number, child}]; times != 1)
        complaints.add(fmt::format("child {} of supervisor {} is there {} times", child, number, times));
    }
  }
}

void Chaos::stop() {
  for (const auto& [name, process] : cluster.processes()) {
    for (unsigned shard = 0; shard < process->node->shards(); ++shard)
      process->node->run_on(shard, [](Home& home) { home.stop_all(); });
  }
  cluster.run_for(seconds(3));
  complain_of_what_is_left(cluster, complaints);
  if (!monitors.living().empty()) complaints.add("talkers are left");
  if (!instances.empty() || !guests.empty()) complaints.add("children or guests are left");
}

}  // namespace cobus::sim
