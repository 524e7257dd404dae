// SPDX-License-Identifier: Apache-2.0
//
// Membership: this node's part in the directory. With every broker it reaches it keeps a watch, which
// feeds the View and tells the links how to reach nodes; and, if it is a daemon, a registration that it
// renews. Losing a broker loses nothing but news. It also keeps up what trust needs: it hears of keys that
// were revoked, has the links refuse them and hands that on to brokers that do not know it (daemons); and it
// renews the node's certificate in time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "node/cluster/certificate_renewal.hpp"
#include "node/cluster/revocation_writer.hpp"
#include "node/cluster/view.hpp"
#include "node/link/revocations.hpp"
#include "node/worker/node.hpp"

namespace cobus {

class Membership final : public PeerListener, public WatchdogTask {
 public:
  // Empty for those who only look (clients).
  struct Hooks {
    std::function<v1::NodeRecord()> describe;  // makes the record to register. Any thread
    std::function<void(const Status&)>
        registered;  // with a broker, or refused: a name that is taken. On shards
  };

  // `node`, `view` and `revocations` must outlive it. Make it before node.start(). `revocations` is what was
  // kept of earlier lives; without it only what brokers say in this life counts.
  Membership(Node& node, View& view, Hooks hooks = {}, link::Revocations* revocations = nullptr);

  void on_peer_up(const link::PeerInfo& peer, link::TargetId target) override;
  void on_peer_down(const link::PeerInfo& peer, const Status& reason) override;
  void on_peer_suspected(const link::PeerInfo& peer, bool suspected) override;
  // Registers again in the name of the worker that should have renewed by now: another one holds its shard.
  void watchdog_turn(TimePoint now) override;

  // The record changed: registers again, soon. Any thread.
  void refresh();
  // Brokers that have a session with this node. Any thread.
  [[nodiscard]] std::vector<NodeId> brokers() const;
  // Why the certificate of this node will not be renewed; empty while all is well. Any thread.
  [[nodiscard]] std::string certificate_trouble() const { return renewal_.trouble(); }
  // Tells every broker that this node leaves. A worker's coroutine.
  [[nodiscard]] Task<> leave(Self self);

 private:
  static Task<> watch(Self self, Membership* membership, NodeId broker, std::uint64_t session);
  static Task<> enrol(Self self, Membership* membership, NodeId broker, std::uint64_t session);
  // Hands on to a broker what it has not told itself, a moment from now.
  static Task<> share(Self self, Membership* membership, NodeId broker, std::uint64_t session);
  [[nodiscard]] v1::RegisterRequest registration() const;
  Task<Result<Duration>> register_once(Self self, NodeId broker);
  // A broker has answered the worker that registers and renews with it.
  void heard(NodeId broker);
  bool connected(NodeId broker, std::uint64_t session) const;
  // Takes in what a broker said, and tells the link: in one go, so that what two brokers say reaches both in
  // the same order. False when the session is over: what a broker said before it was lost may come behind the
  // news of that, and would make it count as one that holds nodes.
  bool apply(NodeId broker, std::uint64_t session, const v1::DirectoryEvent& event);
  // Sees to it that nodes which no broker vouches for are forgotten when it is time.
  void expire_held();
  static Task<> expire_all_held(Self self, Membership* membership);
  // Of `event`, what is revoked. With mutex_ held.
  void learn_revoked(NodeId broker, const v1::DirectoryEvent& event);
  [[nodiscard]] std::int64_t unix_s() const { return node_.clock().unix_us() / 1'000'000; }

  struct Broker {
    std::uint64_t session = 0;                       // a number for each
    std::map<link::CurveKey, std::int64_t> revoked;  // what it has told, and until when
    TimePoint late_at = never;                       // when the watchdog renews in place of the worker
  };

  Node& node_;
  View& view_;
  const Hooks hooks_;
  std::unique_ptr<link::Revocations> own_revocations_;  // unless the hooks have some
  link::Revocations* revocations_ = nullptr;
  std::unique_ptr<RevocationWriter> revocation_writer_;  // of revocations_
  CertificateRenewal renewal_;
  mutable std::mutex mutex_;          // taken before those of the view and of the link's commands
  std::map<NodeId, Broker> brokers_;  // guarded by mutex_
  std::uint64_t sessions_ = 0;        // guarded by mutex_
  std::uint64_t revision_ = 1;        // guarded by mutex_
  bool expiring_ = false;             // expire_all_held runs. Guarded by mutex_
};

}  // namespace cobus
