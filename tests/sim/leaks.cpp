// SPDX-License-Identifier: Apache-2.0
//
// What is left behind in a cluster that has come to rest.
#include <fmt/format.h>

#include "tests/sim/chaos.hpp"

namespace cobus::sim {
namespace {

template <class Visit>
void each_worker(SimCluster& cluster, Visit&& visit) {
  for (const auto& [name, process] : cluster.processes()) {
    for (unsigned shard = 0; shard < process->node->shards(); ++shard) {
      Home& home = process->node->home(shard);
      for (std::uint32_t slot = 0; slot < home.slots(); ++slot) {
        if (Worker* const worker = home.in_slot(slot)) visit(*process, *worker);
      }
    }
  }
}

}  // namespace

void complain_of_one_sided_bonds(SimCluster& cluster, Complaints& complaints) {
  std::map<Address, const Worker*> living;
  each_worker(cluster, [&living](const Process& process, const Worker& worker) {
    living.emplace(Address{process.node->id(), worker.id}, &worker);
  });
  const auto bonds_of = [&living](Address address) -> const Bonds* {
    const auto found = living.find(address);
    return found == living.end() ? nullptr : found->second->bonds.get();
  };
  for (const auto& [address, worker] : living) {
    if (worker->bonds == nullptr) continue;
    const auto complain = [&, &self = address](const char* what, Address other) {
      complaints.add(fmt::format("{} ({}) {} {}, which does not know it{}", to_string(self), worker->kind,
                                 what, to_string(other), living.contains(other) ? "" : " and is gone"));
    };
    for (const auto& [ref, target] : worker->bonds->monitors) {
      const Bonds* const its = bonds_of(target);
      if (its == nullptr || !its->watchers.contains(Bonds::Watcher{address, ref}))
        complain("monitors", target);
    }
    for (const auto& [watcher, nothing] : worker->bonds->watchers) {
      const Bonds* const its = bonds_of(watcher.address);
      if (its == nullptr || !its->monitors.contains(watcher.ref)) complain("is watched by", watcher.address);
    }
    for (const auto& [peer, link] : worker->bonds->links) {
      const Bonds* const its = bonds_of(peer);
      if (its == nullptr || !its->links.contains(address))
        complain(link.active ? "is linked to" : "waits for the end of its link to", peer);
    }
  }
}

void complain_of_what_is_left(SimCluster& cluster, Complaints& complaints) {
  for (const auto& [name, process] : cluster.processes()) {
    Node& node = *process->node;
    const auto none = [&, &of = name](std::size_t count, std::string_view what) {
      if (count != 0) complaints.add(fmt::format("{}: {} {} left", of, count, what));
    };
    for (unsigned shard = 0; shard < node.shards(); ++shard) {
      const Home::Held held = node.home(shard).held();
      none(held.workers, "workers");
      none(held.calls_waiting, "calls that wait");
      none(held.calls_handled, "calls that are handled");
      none(held.ties, "ties");
      none(held.node_watchers, "watchers of nodes");
      none(held.senders_waiting, "senders that wait");
      none(held.told_full, "workers whose mailboxes others think full");
      none(held.full_elsewhere, "workers elsewhere whose mailboxes are thought full");
      none(held.outgoing_bytes, "bytes on their way out");
      none(node.home(shard).inbound_bytes(), "bytes in an inbox");
      none(node.home(shard).load(), "things that were placed and never came");
      none(node.home(shard).shard().timers().size(), "timers");
    }
    none(node.links().waiting_bytes(), "bytes for other nodes");
    none(node.calls_running.load(), "calls that run");
    none(node.peer_accounts().held() + node.large_peer_accounts().held() + node.answer_peer_accounts().held(),
         "bytes that came from other nodes");
  }
  each_worker(cluster, [&](const Process& process, const Worker& worker) {
    const std::source_location at = worker.where();
    complaints.add(fmt::format("{}: {} ({}) is left, at {}:{}", process.node->name(), to_string(worker.id),
                               worker.kind, at.file_name(), at.line()));
  });
}

}  // namespace cobus::sim
