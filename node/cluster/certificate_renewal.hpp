// SPDX-License-Identifier: Apache-2.0
//
// CertificateRenewal: gets a later certificate for this node when two thirds of the time of the present one
// have passed, from any broker that gives one. Part of Membership. run() is a worker's coroutine that ends
// with the node only: a node that has no certificate yet, or finds no broker, tries again. trouble() says
// why the certificate will not be renewed, for cobus doctor.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "node/worker/node.hpp"

namespace cobus {

class CertificateRenewal {
 public:
  // `brokers` gives those that have a session with this node; any thread may call it.
  CertificateRenewal(Node& node, std::function<std::vector<NodeId>()> brokers)
      : node_(node), brokers_(std::move(brokers)) {}

  // Spawn it once.
  static Task<> run(Self self, CertificateRenewal* renewal);

  // Empty while all is well. Any thread.
  [[nodiscard]] std::string trouble() const;

 private:
  class Running;
  // Why the certificate will not be renewed. Shared with the coroutine, whose frame may outlive this object.
  struct Trouble {
    std::mutex mutex;
    std::string text = "it has not joined yet";  // guarded by mutex
    void report(std::string trouble) {
      const std::scoped_lock lock(mutex);
      text = std::move(trouble);
    }
  };
  // From any broker. True when one gave it.
  Task<bool> renew_once(Self self);
  // What to do now: how long to wait, after a renewal if one is due.
  Task<Duration> step(Self self);
  void report(std::string trouble) { trouble_->report(std::move(trouble)); }
  [[nodiscard]] std::int64_t unix_s() const { return node_.clock().unix_us() / 1'000'000; }

  Node& node_;
  const std::function<std::vector<NodeId>()> brokers_;
  const std::shared_ptr<Trouble> trouble_ = std::make_shared<Trouble>();
};

}  // namespace cobus
