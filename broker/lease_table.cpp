// SPDX-License-Identifier: Apache-2.0
#include "broker/lease_table.hpp"

#include <fmt/format.h>

namespace cobus::broker {

Status LeaseTable::renew(NodeId node, Incarnation incarnation, TimePoint now) {
  const auto [found, fresh] = leases_.try_emplace(node);
  Lease& lease = found->second;
  if (!fresh) {
    if (incarnation < lease.incarnation) {
      return {Code::failed_precondition,
              fmt::format("node {} has started anew since (incarnation {}, not {})", to_string(node),
                          lease.incarnation, incarnation)};
    }
    by_end_.erase({lease.ends, node});
  }
  lease = Lease{incarnation, now + ttl_};
  by_end_.emplace(lease.ends, node);
  return {};
}

void LeaseTable::remove(NodeId node) {
  const auto found = leases_.find(node);
  if (found == leases_.end()) return;
  by_end_.erase({found->second.ends, node});
  leases_.erase(found);
}

std::vector<NodeId> LeaseTable::expire(TimePoint now) {
  std::vector<NodeId> ended;
  while (!by_end_.empty() && by_end_.begin()->first <= now) {
    ended.push_back(by_end_.begin()->second);
    leases_.erase(ended.back());
    by_end_.erase(by_end_.begin());
  }
  return ended;
}

TimePoint LeaseTable::next_expiry() const noexcept {
  return by_end_.empty() ? never : by_end_.begin()->first;
}

}  // namespace cobus::broker
