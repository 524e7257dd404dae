// SPDX-License-Identifier: Apache-2.0
//
// PublishedState: the part of the link's state that any thread may read: the sessions that are up, and this
// node's certificate. LinkMachine writes each change here before it tells its owner about the change, so that
// a callback, and whatever the callback starts on another thread, never reads the state from before.
#pragma once

#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node/link/identity.hpp"
#include "node/link/peer_info.hpp"

namespace cobus::link {

// Every method may be called by any thread.
class PublishedState {
 public:
  explicit PublishedState(std::optional<v1::Certificate> certificate)
      : certificate_(std::move(certificate)) {}

  void put_peer(const PeerInfo& peer) {
    const std::scoped_lock lock(mutex_);
    peers_.insert_or_assign(peer.node, peer);
  }
  void remove_peer(NodeId node) {
    const std::scoped_lock lock(mutex_);
    peers_.erase(node);
  }
  void use_certificate(const v1::Certificate& certificate) {
    const std::scoped_lock lock(mutex_);
    certificate_ = certificate;
  }

  // Nothing when there is no session with `node`.
  [[nodiscard]] std::optional<PeerInfo> peer(NodeId node) const {
    const std::scoped_lock lock(mutex_);
    const auto found = peers_.find(node);
    return found == peers_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] std::vector<PeerInfo> peers() const {
    std::vector<PeerInfo> all;
    const std::scoped_lock lock(mutex_);
    all.reserve(peers_.size());
    for (const auto& [node, peer] : peers_) all.push_back(peer);
    return all;
  }
  // Nothing before this node is enrolled.
  [[nodiscard]] std::optional<v1::Certificate> certificate() const {
    const std::scoped_lock lock(mutex_);
    return certificate_;
  }

 private:
  mutable std::mutex mutex_;                    // taken last
  std::unordered_map<NodeId, PeerInfo> peers_;  // guarded by mutex_
  std::optional<v1::Certificate> certificate_;  // guarded by mutex_
};

}  // namespace cobus::link
