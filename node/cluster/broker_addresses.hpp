// SPDX-License-Identifier: Apache-2.0
//
// BrokerAddresses: keeps the link's targets at the addresses that the names of the brokers have now. A name
// is looked up before it is dialled and again after each round of dialling that failed, at most once a
// second; one that cannot be looked up is tried again until it can. A lookup blocks in the system's resolver,
// so each name has a thread of its own while it is looked up. Addresses that are numeric need none of this.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "node/worker/node.hpp"

namespace cobus {

class BrokerAddresses final : public PeerListener {
 public:
  // As link::resolve(): called on threads of its own.
  using Resolve = std::function<Result<std::vector<std::string>>(const std::string& host_and_port)>;
  struct Hooks {
    // A lookup failed, and is tried again. Any thread.
    std::function<void(link::TargetId target, const Status& reason)> unresolved;
    // The endpoints of a broker are known, or are others; told before they are dialled. Any thread.
    std::function<void(const std::vector<std::string>& endpoints)> resolved;
  };

  // `node` must outlive it. Make it before node.start(). A lookup that takes longer than its life ends by
  // itself, and is told to nobody.
  BrokerAddresses(Node& node, link::CurveKey key, Hooks hooks, Resolve resolve);
  ~BrokerAddresses() override;
  BrokerAddresses(const BrokerAddresses&) = delete;
  BrokerAddresses& operator=(const BrokerAddresses&) = delete;

  // Dials HOST:PORT from now on. INVALID_ARGUMENT when it is not that. The thread that made it.
  [[nodiscard]] Result<link::TargetId> add(const std::string& host_and_port);

  void on_peer_up(const link::PeerInfo& /*peer*/, link::TargetId /*target*/) override {}
  void on_peer_down(const link::PeerInfo& /*peer*/, const Status& /*reason*/) override {}
  void on_target_failed(link::TargetId target, const Status& reason) override;

 private:
  struct Shared;
  // Runs look_up() on a thread of its own.
  void start_look_up(link::TargetId target);
  // What looks the name of one target up, until it succeeds or nobody wants it any more.
  static void look_up(const std::shared_ptr<Shared>& shared, link::TargetId target);

  Node& node_;
  const link::CurveKey key_;
  const std::shared_ptr<Shared> shared_;  // also held by lookups
};

}  // namespace cobus
