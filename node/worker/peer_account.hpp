// SPDX-License-Identifier: Apache-2.0
//
// PeerAccount: the bytes that came from one other node and are held here, whatever they wait for: in inboxes,
// mailboxes and streams, until they are decoded or dropped; Charge: some of them. Charged on the link's
// thread, refunded by whatever thread frees them. It outlives its session, so that nobody gets another by
// connecting anew, and its node, as long as something is charged to it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "proto/address.hpp"

namespace cobus {

class PeerAccount {
 public:
  PeerAccount() noexcept = default;
  PeerAccount(const PeerAccount&) = delete;
  PeerAccount& operator=(const PeerAccount&) = delete;

  void charge(std::uint64_t bytes) noexcept { held_.fetch_add(bytes, std::memory_order_relaxed); }
  // *this may be gone afterwards.
  void refund(std::uint64_t bytes) noexcept {
    if (held_.fetch_sub(bytes, std::memory_order_acq_rel) == bytes) delete this;
  }
  // Nothing more is charged to it; it goes when all is refunded.
  void close() noexcept { refund(open); }
  [[nodiscard]] std::uint64_t held() const noexcept {
    return held_.load(std::memory_order_relaxed) & (open - 1);
  }

 private:
  ~PeerAccount() = default;
  static constexpr std::uint64_t open = std::uint64_t{1} << 62;
  std::atomic<std::uint64_t> held_{open};
};

// Bytes on an account, until it goes.
class Charge {
 public:
  Charge() noexcept = default;
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  ~Charge() {
    if (account_ != nullptr) account_->refund(bytes_);
  }
  // Once, and before anything else.
  void begin(PeerAccount& account, std::uint64_t bytes) noexcept {
    account_ = &account;
    more(bytes);
  }
  [[nodiscard]] PeerAccount* account() const noexcept { return account_; }
  // Without an account they do nothing.
  void more(std::uint64_t bytes) noexcept {
    if (account_ == nullptr) return;
    bytes_ += bytes;
    account_->charge(bytes);
  }
  void less(std::uint64_t bytes) noexcept {
    if (account_ == nullptr) return;
    bytes_ -= bytes;
    account_->refund(bytes);
  }

 private:
  PeerAccount* account_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// Those of a node, by peer.
class PeerAccounts {
 public:
  PeerAccounts() = default;
  PeerAccounts(const PeerAccounts&) = delete;
  PeerAccounts& operator=(const PeerAccounts&) = delete;
  ~PeerAccounts();

  // Made on first use, and valid until the session with that peer ends. With the link's lock held.
  [[nodiscard]] PeerAccount& of(NodeId peer) {
    if (peer != last_peer_) [[unlikely]]
      find(peer);
    return *last_;
  }
  // The session with `peer` has ended. With the link's lock held.
  void lost(NodeId peer);
  // What is held of one peer, and of all. Any thread.
  [[nodiscard]] std::uint64_t held_of(NodeId peer) const;
  [[nodiscard]] std::uint64_t held() const;

 private:
  struct Entry {
    PeerAccount* account = nullptr;  // closed when the entry goes
    bool lost = false;
  };
  void find(NodeId peer);

  mutable std::mutex mutex_;
  std::unordered_map<NodeId, Entry> entries_;  // guarded by mutex_
  // the link's: of whom it asked last
  NodeId last_peer_ = NodeId::none;
  PeerAccount* last_ = nullptr;
};

}  // namespace cobus
