// SPDX-License-Identifier: Apache-2.0
//
// Membership: this node's part in the directory. With every broker it reaches it keeps a watch, which
// feeds the View and tells the links how to reach nodes; and, if it is a daemon, a registration that it
// renews. Losing a broker loses nothing but news.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "node/cluster/view.hpp"
#include "node/worker/node.hpp"

namespace cobus {

class Membership final : public PeerListener {
 public:
  // All are called on shards. Empty for those who only look (clients).
  struct Hooks {
    std::function<v1::NodeRecord()> describe;       // makes the record to register
    std::function<void(const Status&)> registered;  // with a broker, or refused: a name that is taken
  };

  // `node` and `view` must outlive it. Make it before node.start().
  Membership(Node& node, View& view, Hooks hooks = {});

  void on_peer_up(const link::PeerInfo& peer, link::TargetId target) override;
  void on_peer_down(const link::PeerInfo& peer, const Status& reason) override;

  // The record changed: registers again, soon. Any thread.
  void refresh();
  // Tells every broker that this node leaves. A worker's coroutine.
  [[nodiscard]] Task<> leave(Self self);

 private:
  static Task<> watch(Self self, Membership* membership, NodeId broker, std::uint64_t session);
  static Task<> enrol(Self self, Membership* membership, NodeId broker, std::uint64_t session);
  Task<Result<Duration>> register_once(Self self, NodeId broker);
  bool connected(NodeId broker, std::uint64_t session) const;
  // Takes in what a broker said, and tells the link: in one go, so that what two brokers say reaches both in
  // the same order. False when the session is over: what a broker said before it was lost may come behind the
  // news of that, and would make it count as one that holds nodes.
  bool apply(NodeId broker, std::uint64_t session, const v1::DirectoryEvent& event);

  Node& node_;
  View& view_;
  const Hooks hooks_;
  mutable std::mutex mutex_;                 // taken before those of the view and of the link's commands
  std::map<NodeId, std::uint64_t> brokers_;  // with a number for each session; guarded by mutex_
  std::uint64_t sessions_ = 0;               // guarded by mutex_
  std::uint64_t revision_ = 1;               // guarded by mutex_
};

}  // namespace cobus
