// SPDX-License-Identifier: Apache-2.0
//
// LeaseTable: decides when a node that went quiet counts as gone.
// Owned by Directory and used on its shard only. It does no I/O and reads no clock: the caller passes
// `now`, so a test runs a week in a microsecond.
#pragma once

#include <cstddef>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node/runtime/clock.hpp"
#include "proto/address.hpp"
#include "proto/status.hpp"

namespace cobus::broker {

// Unix microseconds of a node's start: a later life has a larger one.
using Incarnation = std::uint64_t;

class LeaseTable {
 public:
  explicit LeaseTable(Duration ttl) noexcept : ttl_(ttl) {}

  // Starts or extends the lease of `node` until `now` + ttl. A lease that ended but was not yet
  // expired goes on. FAILED_PRECONDITION when a newer incarnation has the lease; the table is unchanged.
  Status renew(NodeId node, Incarnation incarnation, TimePoint now);

  // Ends a lease at once; nothing happens if there is none.
  void remove(NodeId node);

  // Removes and returns the nodes whose lease ended at or before `now`, earliest first.
  [[nodiscard]] std::vector<NodeId> expire(TimePoint now);

  // When `expire` next has something to return; `never` for an empty table.
  [[nodiscard]] TimePoint next_expiry() const noexcept;

  // Whether `node` has a lease that has not been expired or removed.
  [[nodiscard]] bool holds(NodeId node) const { return leases_.contains(node); }
  [[nodiscard]] std::size_t size() const noexcept { return leases_.size(); }

 private:
  struct Lease {
    Incarnation incarnation = 0;
    TimePoint ends;
  };

  const Duration ttl_;
  std::unordered_map<NodeId, Lease> leases_;
  std::set<std::pair<TimePoint, NodeId>> by_end_;
};

}  // namespace cobus::broker
