// SPDX-License-Identifier: Apache-2.0
//
// Dispatcher: gives the ledger's ready jobs to nodes that offer their methods, as ordinary calls, and
// writes down what became of them. One worker a node, its runs are children of it; it holds no more
// jobs at once than the nodes it knows can take. When its node drains, it begins nothing more and stays
// until what runs has ended.
#pragma once

#include <atomic>
#include <string>

#include "node/cluster/view.hpp"
#include "node/job/ledger.hpp"
#include "node/job/placement.hpp"
#include "node/runtime/scope.hpp"
#include "node/runtime/signal.hpp"
#include "node/worker/node.hpp"

namespace cobus::job {

class Dispatcher {
 public:
  // All must outlive it.
  Dispatcher(Node& node, View& view, Ledger& ledger) : node_(node), view_(view), ledger_(ledger) {}

  // Recovers what an earlier life left, then dispatches until it is stopped. A worker's coroutine; run
  // it once: node.spawn("cobus.dispatcher", &Dispatcher::run, &dispatcher).
  static Task<> run(Self self, Dispatcher* dispatcher);

  // There may be something to do: a job was submitted, a node came. Any thread.
  void wake();

  // Nothing more is begun, and run() ends when what runs has ended. Before the node is stopped. Any thread.
  void drain();

 private:
  // Wakes run(), or has it look again at once. Its shard.
  void tell();
  [[nodiscard]] bool ending(Self self) const;
  Task<> recover(Self self);
  // Claims what there is room for and starts it in `runs`. Whether anything found a place.
  Task<bool> give_out(Self self, Scope* runs);
  Task<std::vector<ClaimedJob>> claim(std::vector<std::string> methods, std::uint32_t limit);
  Task<> run_job(Self self, ClaimedJob job, Result<Placement::Place> place);
  [[nodiscard]] CallOptions call_options(const ClaimedJob& job, NodeId node) const;
  [[nodiscard]] Outcome outcome_of(Result<EnvelopePtr> reply, const Placement::Place& place);
  Task<> record(std::string id, std::uint32_t attempt, Outcome outcome);

  Node& node_;
  View& view_;
  Ledger& ledger_;
  Signal changed_;
  bool told_ = false;  // since run() looked last
  Placement placement_;
  std::size_t turn_ = 0;
  std::atomic<unsigned> shard_{0};
  std::atomic<bool> started_{false};
  std::atomic<bool> woken_{false};
  std::atomic<bool> draining_{false};
};

}  // namespace cobus::job
