// SPDX-License-Identifier: Apache-2.0
//
// Dispatcher: gives the ledger's ready jobs to nodes that offer their methods, as ordinary calls, and
// writes down what became of them. One worker a node, its runs are children of it; it holds no more
// jobs at once than the nodes it knows can take.
#pragma once

#include <atomic>
#include <map>
#include <string>

#include "node/cluster/view.hpp"
#include "node/job/ledger.hpp"
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

 private:
  // What the nodes can take of one class of methods.
  struct Room {
    std::vector<std::string> methods;
    std::uint32_t free = 0;
  };
  struct Busy {
    std::uint32_t shard = 0;  // our calls that run there, by where their method runs
    std::uint32_t pool = 0;
  };
  [[nodiscard]] std::map<v1::Where, Room> room() const;
  [[nodiscard]] Result<v1::NodeRecord> choose(const std::string& method, v1::Where where) const;
  [[nodiscard]] CallOptions call_options(const ClaimedJob& job) const;
  [[nodiscard]] Outcome outcome_of(Result<EnvelopePtr> reply, NodeId node) const;
  Task<std::vector<ClaimedJob>> claim(Room room);
  Task<> run_job(Self self, ClaimedJob job, v1::Where where);
  Task<> record(std::string id, std::uint32_t attempt, Outcome outcome);

  Node& node_;
  View& view_;
  Ledger& ledger_;
  Signal changed_;
  std::map<NodeId, Busy> busy_;
  std::atomic<unsigned> shard_{0};
  std::atomic<bool> started_{false};
  std::atomic<bool> woken_{false};
};

}  // namespace cobus::job
