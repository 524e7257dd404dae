// SPDX-License-Identifier: Apache-2.0
//
// ProviderSearch: to which nodes one call goes, one after the other. A call that no node in particular was
// asked for is sent to another provider when nothing is lost by it: it had not begun, or its method is
// idempotent. Owned by the caller's coroutine or stream and used on its shard only. It sends nothing.
#pragma once

#include <string>
#include <vector>

#include "node/worker/node.hpp"

namespace cobus {

class ProviderSearch {
 public:
  // `method` is "package.Service/Method"; the call may go to nodes that `eligible` admits. `node` must
  // outlive it.
  ProviderSearch(Node& node, std::string method, NodeFilter eligible)
      : node_(node), method_(std::move(method)), eligible_(std::move(eligible)) {}

  // A provider that was not asked yet. NOT_FOUND when there is none, UNAVAILABLE when no broker has answered.
  [[nodiscard]] Result<NodeId> next();

  // Whether a call that the last node failed with `error` may go to another one, as far as one more may be
  // asked: it never began, or its node was lost or could not serve it and the method is idempotent there.
  [[nodiscard]] bool goes_on_after(const Status& error);

 private:
  Node& node_;
  std::string method_;
  NodeFilter eligible_;
  std::vector<NodeId> asked_;
};

}  // namespace cobus
