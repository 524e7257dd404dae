// SPDX-License-Identifier: Apache-2.0
#include "node/worker/peer_account.hpp"

#include <utility>

namespace cobus {

PeerAccounts::~PeerAccounts() {
  for (const auto& [peer, entry] : entries_) entry.account->close();
}

void PeerAccounts::find(NodeId peer) {
  const std::scoped_lock lock(mutex_);
  Entry& entry = entries_[peer];
  if (entry.account == nullptr) entry.account = new PeerAccount;
  entry.lost = false;
  last_peer_ = peer;
  last_ = entry.account;
}

void PeerAccounts::lost(NodeId peer) {
  const std::scoped_lock lock(mutex_);
  last_peer_ = NodeId::none;
  if (const auto found = entries_.find(peer); found != entries_.end()) found->second.lost = true;
  // Also those of whom something was still held when they were lost.
  std::erase_if(entries_, [](const auto& entry) {
    const bool over = entry.second.lost && entry.second.account->held() == 0;
    if (over) entry.second.account->close();
    return over;
  });
}

std::uint64_t PeerAccounts::held_of(NodeId peer) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(peer);
  return found == entries_.end() ? 0 : found->second.account->held();
}

std::uint64_t PeerAccounts::held() const {
  const std::scoped_lock lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [peer, entry] : entries_) sum += entry.account->held();
  return sum;
}

}  // namespace cobus
