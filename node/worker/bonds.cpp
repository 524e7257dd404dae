// SPDX-License-Identifier: Apache-2.0
//
// Monitors, links and exits: the part of Home that lets workers detect the errors of others. Signals act
// when they arrive; what a worker is to read of them (Down, Exit) goes into its mailbox behind what the
// same sender sent before, bounds or not.
#include "node/worker/bonds.hpp"

#include <cobus/v1/worker.pb.h>

#include "node/worker/exit_reason.hpp"
#include "node/worker/home.hpp"
#include "node/worker/node.hpp"

namespace cobus {
namespace {

// Of an EXIT envelope, in `call`: the signal was sent by exit(), not by the end of a linked worker.
constexpr std::uint64_t exit_explicit = 1;

void write_reason(const Status& reason, v1::Status* into) {
  into->set_code(static_cast<std::int32_t>(reason.code()));
  into->set_message(reason.message());
  for (const Status::Detail& detail : reason.details()) {
    v1::Status::Detail* added = into->add_details();
    added->set_key(detail.key);
    added->set_value(detail.value);
  }
}

Status too_many_bonds() {
  return {Code::resource_exhausted, "the node of the watcher has too many monitors and links here"};
}

template <class Message>
EnvelopePtr news(Message message, Address from, Address to) {
  auto envelope = std::make_unique<TypedEnvelope<Message>>(std::move(message));
  envelope->from = from;
  envelope->to = to.worker;
  envelope->of_runtime = true;
  return envelope;
}

}  // namespace

void Home::send_signal(v1::Kind kind, Address from, Address to, std::uint64_t call, Status reason,
                       std::uint32_t flags) noexcept {
  auto envelope = std::make_unique<SignalEnvelope>();
  envelope->kind = kind;
  envelope->flags = flags;
  envelope->from = from;
  envelope->to = to.worker;
  envelope->call = call;
  if (!reason.ok()) envelope->extra().status = std::move(reason);
  send(to.node, std::move(envelope));
}

void Home::tie(NodeId other, WorkerId worker) {
  if (other == node_.id()) return;
  Ties& ties = tied_[other];
  ++ties.workers[worker];
  ++ties.bonds;
}

// Of a node that is lost already there is nothing to untie.
void Home::untie(NodeId other, WorkerId worker) noexcept {
  if (other == node_.id()) return;
  const auto ties = tied_.find(other);
  if (ties == tied_.end()) return;
  const auto count = ties->second.workers.find(worker);
  if (count == ties->second.workers.end()) return;
  --ties->second.bonds;
  if (--count->second == 0) ties->second.workers.erase(count);
  if (ties->second.workers.empty()) tied_.erase(ties);
}

bool Home::takes_bonds_of(NodeId other) const noexcept {
  const auto ties = tied_.find(other);
  return ties == tied_.end() || ties->second.bonds < limits::bonds_of_peer_max;
}

MonitorRef Home::monitor(Worker& worker, Address target) {
  const std::uint64_t ref = next_ref_++;
  worker.bonded().monitors.emplace(ref, target);
  tie(target.node, worker.id);
  send_signal(v1::MONITOR, {node_.id(), worker.id}, target, ref);
  return MonitorRef{ref};
}

void Home::demonitor(Worker& worker, MonitorRef its_ref) noexcept {
  const auto ref = static_cast<std::uint64_t>(its_ref);
  Bonds& bonds = worker.bonded();
  const auto found = bonds.monitors.find(ref);
  if (found != bonds.monitors.end()) {
    send_signal(v1::DEMONITOR, {node_.id(), worker.id}, found->second, ref);
    untie(found->second.node, worker.id);
    bonds.monitors.erase(found);
    return;
  }
  const auto its_down = [ref](const Envelope& envelope) {
    return envelope.type == type_id_of<v1::Down>() && envelope.typed() &&
           static_cast<const TypedEnvelope<v1::Down>&>(envelope).body.monitor() == ref;
  };
  static_cast<void>(worker.mailbox.take_first(its_down));
}

void Home::link(Worker& worker, Address peer) {
  const Address self{node_.id(), worker.id};
  if (peer == self) return;
  const auto [found, made] = worker.bonded().links.try_emplace(peer);
  if (!made && found->second.active) return;
  found->second = Bonds::Link{};
  if (made) tie(peer.node, worker.id);
  send_signal(v1::LINK, self, peer, 0);
}

void Home::unlink(Worker& worker, Address peer) noexcept {
  if (worker.bonds == nullptr) return;
  const auto found = worker.bonds->links.find(peer);
  if (found == worker.bonds->links.end() || !found->second.active) return;
  found->second = Bonds::Link{.active = false, .unlink = next_ref_++};
  send_signal(v1::UNLINK, {node_.id(), worker.id}, peer, found->second.unlink);
}

void Home::monitor_node(Worker& worker, NodeId target) {
  if (target == node_.id()) return;
  node_watchers_[target].insert(worker.id);
  worker.bonded().watched_nodes.insert(target);
  // To nobody there: it only makes the link dial, and comes back if that fails.
  if (!node_.peer(target)) send_signal(v1::MONITOR, {node_.id(), worker.id}, {target, WorkerId{}}, 0);
}

void Home::exit(const Worker& from, Address to, Status reason) {
  send_signal(v1::EXIT, {node_.id(), from.id}, to, exit_explicit, std::move(reason));
}

void Home::kill(Address target, std::string why) {
  send_signal(v1::EXIT, {node_.id(), WorkerId{}}, target, exit_explicit, exit_reason::kill(std::move(why)));
}

void Home::bind(Worker& worker, Address spawner, std::uint64_t monitor, bool link) {
  if (spawner.node == node_id_) {
    worker.parent = spawner.worker;
  } else if (spawner) {
    worker.bonded().spawner = spawner;
  }
  if (monitor != 0 && worker.bonded().watchers.emplace(Bonds::Watcher{spawner, monitor}, '\0').second)
    tie(spawner.node, worker.id);
  if (link && worker.bonded().links.try_emplace(spawner).second) tie(spawner.node, worker.id);
}

void Home::bound_to(Worker& worker, Address target, std::uint64_t monitor, bool link) {
  if (monitor != 0 && worker.bonded().monitors.emplace(monitor, target).second) tie(target.node, worker.id);
  if (link && worker.bonded().links.try_emplace(target).second) tie(target.node, worker.id);
}

void Home::receive_signal(EnvelopePtr envelope) noexcept {
  const Address from = envelope->from;
  const Address to{node_.id(), envelope->to};
  const std::uint64_t call = envelope->call;
  Worker* const worker = find(envelope->to);
  if (worker == nullptr) {
    switch (envelope->kind) {
      case v1::MONITOR:
        if (call == 0) return;  // see monitor_node()
        return send_signal(v1::DOWN, to, from, call, exit_reason::noproc());
      case v1::LINK:
        return send_signal(v1::EXIT, to, from, 0, exit_reason::noproc());
      case v1::UNLINK:
        return send_signal(v1::UNLINK_ACK, to, from, call);
      case v1::EXIT:
        if (call == exit_explicit) node_.dead_letter(DeadLetter::no_such_worker, *envelope);
        return;
      default:
        return;
    }
  }
  switch (envelope->kind) {
    case v1::MONITOR:
      if (!takes_bonds_of(from.node)) return send_signal(v1::DOWN, to, from, call, too_many_bonds());
      if (worker->bonded().watchers.emplace(Bonds::Watcher{from, call}, '\0').second)
        tie(from.node, worker->id);
      return;
    case v1::DEMONITOR:
      if (worker->bonds != nullptr && worker->bonds->watchers.erase(Bonds::Watcher{from, call}) != 0)
        untie(from.node, worker->id);
      return;
    case v1::DOWN:
      // Of a node as a whole: only our own knows that, and says so in its name; see may_send.
      if (!from.worker && call == 0) return node_down_arrived(*worker, from.node, envelope->extra().status);
      if (worker->bonds == nullptr) return;
      // Only the target, or its node in its name, may say that it is down.
      if (const auto found = worker->bonds->monitors.find(call);
          found != worker->bonds->monitors.end() && found->second == from) {
        down_arrived(*worker, call, envelope->extra().status);
      }
      return;
    case v1::LINK:
      if (!takes_bonds_of(from.node)) return send_signal(v1::EXIT, to, from, 0, too_many_bonds());
      if (worker->bonded().links.try_emplace(from).second) tie(from.node, worker->id);
      return;
    case v1::UNLINK: {
      if (worker->bonds != nullptr) {
        const auto found = worker->bonds->links.find(from);
        if (found != worker->bonds->links.end() && found->second.active) {
          worker->bonds->links.erase(found);
          untie(from.node, worker->id);
        }
      }
      return send_signal(v1::UNLINK_ACK, to, from, call);
    }
    case v1::UNLINK_ACK: {
      if (worker->bonds == nullptr) return;
      const auto found = worker->bonds->links.find(from);
      if (found != worker->bonds->links.end() && !found->second.active && found->second.unlink == call) {
        worker->bonds->links.erase(found);
        untie(from.node, worker->id);
      }
      return;
    }
    case v1::EXIT:
      return exit_arrived(*worker, from, envelope->extra().status, (call & exit_explicit) == 0);
    default:
      return;
  }
}

void Home::down_arrived(Worker& worker, std::uint64_t ref, const Status& reason) noexcept {
  const auto found = worker.bonds->monitors.find(ref);
  const Address target = found->second;
  worker.bonds->monitors.erase(found);
  untie(target.node, worker.id);
  v1::Down down;
  down.set_monitor(ref);
  down.set_node(static_cast<std::uint64_t>(target.node));
  down.set_worker(target.worker.value);
  if (!reason.ok()) write_reason(reason, down.mutable_reason());
  reach(worker, news(std::move(down), target, {node_.id(), worker.id}));
}

void Home::exit_arrived(Worker& worker, Address from, Status reason, bool by_link) noexcept {
  if (by_link) {
    // Nobody is linked to it any more, or an unlink is on its way: the exit is none of its business.
    if (worker.bonds == nullptr) return;
    const auto found = worker.bonds->links.find(from);
    if (found == worker.bonds->links.end() || !found->second.active) return;
    worker.bonds->links.erase(found);
    untie(from.node, worker.id);
  } else if (reason.code() == Code::aborted) {
    return end(worker, std::move(reason));
  }
  if (worker.bonds != nullptr && worker.bonds->trap_exits) {
    v1::Exit exit;
    exit.set_node(static_cast<std::uint64_t>(from.node));
    exit.set_worker(from.worker.value);
    if (!reason.ok()) write_reason(reason, exit.mutable_reason());
    return reach(worker, news(std::move(exit), from, {node_.id(), worker.id}));
  }
  if (!reason.ok()) end(worker, std::move(reason));
}

// The worker is gone: its name is free, and everybody who watches it or is linked to it hears why.
void Home::dissolve(Worker& worker, const Status& reason) noexcept {
  const std::unique_ptr<Bonds> bonds = std::move(worker.bonds);
  const Address self{node_.id(), worker.id};
  if (!bonds->name.empty()) node_.forget_name(bonds->name, self);
  for (const auto& [ref, target] : bonds->monitors) {
    untie(target.node, worker.id);
    send_signal(v1::DEMONITOR, self, target, ref);
  }
  for (const auto& [watcher, nothing] : bonds->watchers) {
    untie(watcher.address.node, worker.id);
    send_signal(v1::DOWN, self, watcher.address, watcher.ref, reason);
  }
  for (const auto& [peer, link] : bonds->links) {
    untie(peer.node, worker.id);
    if (link.active) send_signal(v1::EXIT, self, peer, 0, reason);
  }
  for (const NodeId watched : bonds->watched_nodes) {
    const auto found = node_watchers_.find(watched);
    if (found != node_watchers_.end() && found->second.erase(worker.id) != 0 && found->second.empty())
      node_watchers_.erase(found);
  }
}

// Everything that is tied to a worker of the lost node.
void Home::bonds_lost(NodeId lost, const Status& reason) noexcept {
  if (const auto found = tied_.find(lost); found != tied_.end()) {
    const std::unordered_map<WorkerId, std::uint32_t> tied = std::move(found->second.workers);
    tied_.erase(found);
    for (const auto& [id, count] : tied) {
      Worker* worker = find(id);
      if (worker == nullptr || worker->bonds == nullptr) continue;
      Bonds& bonds = *worker->bonds;
      std::erase_if(bonds.watchers, [lost](const auto& entry) { return entry.first.address.node == lost; });
      std::vector<std::uint64_t> monitors;
      for (const auto& [ref, target] : bonds.monitors) {
        if (target.node == lost) monitors.push_back(ref);
      }
      for (const std::uint64_t ref : monitors) down_arrived(*worker, ref, reason);
      std::vector<Address> peers;
      for (const auto& [peer, link] : bonds.links) {
        if (peer.node == lost) peers.push_back(peer);
      }
      // An exit may end the worker, and its bonds with it.
      for (const Address& peer : peers) {
        if (find(id) != nullptr) exit_arrived(*worker, peer, reason, true);
      }
      if (find(id) != nullptr)
        std::erase_if(worker->bonds->links, [lost](const auto& entry) { return entry.first.node == lost; });
    }
  }
}

void Home::tell_node_watchers(NodeId lost, const Status& reason) noexcept {
  if (const auto found = node_watchers_.find(lost); found != node_watchers_.end()) {
    const std::unordered_set<WorkerId> watchers = std::move(found->second);
    node_watchers_.erase(found);
    for (const WorkerId id : watchers) {
      if (Worker* worker = find(id)) tell_node_down(*worker, lost, reason);
    }
  }
}

// The session with a node that one of us watches could not be made.
void Home::node_down_arrived(Worker& worker, NodeId lost, const Status& reason) noexcept {
  const auto found = node_watchers_.find(lost);
  if (found != node_watchers_.end() && found->second.erase(worker.id) != 0)
    tell_node_down(worker, lost, reason);
}

void Home::tell_node_down(Worker& worker, NodeId lost, const Status& reason) noexcept {
  worker.bonds->watched_nodes.erase(lost);
  v1::NodeDown down;
  down.set_node(static_cast<std::uint64_t>(lost));
  write_reason(reason, down.mutable_reason());
  reach(worker, news(std::move(down), {lost, WorkerId{}}, {node_.id(), worker.id}));
}

}  // namespace cobus
