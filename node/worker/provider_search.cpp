// SPDX-License-Identifier: Apache-2.0
#include "node/worker/provider_search.hpp"

#include <algorithm>

#include "node/worker/call.hpp"

namespace cobus {
namespace {

// Nodes that one call is sent to at most. Enough for the nodes that one host took along when it failed; few
// enough that a cluster whose nodes all refuse is not asked many times over by every caller.
constexpr std::size_t asked_max = 5;

}  // namespace

Result<NodeId> ProviderSearch::next() {
  Result<NodeId> chosen = node_.choose(method_, [this](NodeId node) {
    return std::ranges::find(asked_, node) == asked_.end() && (!eligible_ || eligible_(node));
  });
  if (chosen) asked_.push_back(*chosen);
  return chosen;
}

bool ProviderSearch::goes_on_after(const Status& error) {
  if (asked_.empty()) return false;
  const NodeId failed = asked_.back();
  if (error.code() == Code::unavailable && error.detail("cause") == "connection") node_.unreached(failed);
  if (asked_.size() >= asked_max) return false;
  switch (error.code()) {
    case Code::unavailable:
      return never_started(error) || node_.terms(failed, method_).idempotent;
    case Code::not_found:           // the session layer knows no such node (any more)
    case Code::unimplemented:       // it is another release than its record says
    case Code::resource_exhausted:  // it has too much to do
    case Code::cancelled:           // it ended the handler before that began
      return never_started(error);
    default:
      return false;
  }
}

}  // namespace cobus
