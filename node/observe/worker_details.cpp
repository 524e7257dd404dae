// SPDX-License-Identifier: Apache-2.0
#include "node/observe/worker_details.hpp"

#include "node/observe/worker_row.hpp"
#include "node/worker/node.hpp"
#include "node/worker/supervisor_face.hpp"

namespace cobus {
namespace {

constexpr int listed_max = 100;
constexpr std::size_t calls_looked_at = 100'000;  // some milliseconds

const char* overflow_name(Overflow overflow) noexcept {
  switch (overflow) {
    case Overflow::reject:
      return "reject";
    case Overflow::drop_newest:
      return "drop_newest";
    case Overflow::drop_oldest:
      return "drop_oldest";
    case Overflow::end_worker:
      return "end_worker";
  }
  return "";
}

class Details {
 public:
  Details(Home& home, const Worker& worker, const std::function<std::string(NodeId)>& name_of)
      : home_(home), worker_(worker), name_of_(name_of) {}

  void write_bonds(v1::ShowReply& reply) const {
    const Bonds& bonds = *worker_.bonds;
    reply.set_traps_exits(bonds.trap_exits);
    reply.set_monitors_count(bonds.monitors.size());
    reply.set_watchers_count(bonds.watchers.size());
    reply.set_links_count(bonds.links.size());
    for (const auto& [ref, target] : bonds.monitors) {
      if (reply.monitors_size() == listed_max) break;
      write_peer(target, reply.add_monitors());
    }
    for (const auto& [watcher, nothing] : bonds.watchers) {
      if (reply.watchers_size() == listed_max) break;
      write_peer(watcher.address, reply.add_watchers());
    }
    for (const auto& [peer, link] : bonds.links) {
      if (reply.links_size() == listed_max) break;
      write_peer(peer, reply.add_links());
    }
    if (bonds.supervisor != nullptr) write_supervision(worker_, reply.mutable_supervision());
  }

  void write_calls(v1::ShowReply& reply) const {
    if (worker_.handled != nullptr) {
      const HandledCall::Shown call = worker_.handled->shown();
      v1::HandledCall& handled = *reply.mutable_handles();
      handled.set_method(std::string(call.method));
      write_peer(call.caller, handled.mutable_caller());
      handled.set_caller_name(std::string(call.caller_name));
      handled.set_has_deadline(call.deadline != never);
      if (call.deadline != never)
        handled.set_time_left_us((call.deadline - home_.shard().clock().now()).count() / 1000);
    }
    home_.each_call(calls_looked_at, [&](const PendingCall& call) {
      const PendingCall::Shown asked = call.shown();
      if (asked.caller != worker_.id || reply.asks_size() == listed_max) return;
      v1::AskedCall& shown = *reply.add_asks();
      shown.set_method(std::string(asked.method));
      write_peer({call.callee, WorkerId{}}, shown.mutable_callee());
    });
  }

  void write_peer(Address address, v1::Peer* into) const {
    into->set_node(static_cast<std::uint64_t>(address.node));
    into->set_worker(address.worker.value);
    into->set_node_name(name_of_(address.node));
    if (address.node != home_.node().id() || address.worker.shard() != home_.shard().index() || !address)
      return;
    const Worker* there = home_.find(address.worker);
    if (there != nullptr) {
      into->set_kind(there->kind);
    } else {
      into->set_ended(true);
    }
  }

 private:
  Home& home_;
  const Worker& worker_;
  const std::function<std::string(NodeId)>& name_of_;
};

}  // namespace

void write_supervision(const Worker& worker, v1::Supervision* into) {
  const SupervisorFace::Shown shown = worker.bonds->supervisor->shown();
  into->set_strategy(std::string(shown.strategy));
  into->set_intensity(shown.intensity);
  into->set_period_us(static_cast<std::uint64_t>(shown.period.count() / 1000));
  into->set_restarts(shown.restarts);
}

v1::ShowReply worker_details(Home& home, const Worker& worker, const KnownTypes& types,
                             const std::function<std::string(NodeId)>& name_of) {
  v1::ShowReply reply;
  *reply.mutable_row() = worker_row(worker);
  reply.set_mailbox_messages_max(worker.mailbox.limits().messages);
  reply.set_mailbox_bytes_max(worker.mailbox.limits().bytes);
  reply.set_overflow(overflow_name(worker.mailbox.limits().overflow));
  const Details details(home, worker, name_of);
  if (worker.parent) {
    details.write_peer({home.node().id(), worker.parent}, reply.mutable_spawned_by());
  } else if (worker.bonds != nullptr && worker.bonds->spawner) {
    details.write_peer(worker.bonds->spawner, reply.mutable_spawned_by());
  }
  if (worker.bonds != nullptr) details.write_bonds(reply);
  details.write_calls(reply);
  write_await_chains(worker, home.shard().clock().now(), types, reply);
  return reply;
}

}  // namespace cobus
