// SPDX-License-Identifier: Apache-2.0
#include "broker/lost_nodes.hpp"

#include <chrono>

namespace cobus::broker {
namespace {

// The others are known to who did it: it left, was revoked, or has started again.
bool is_loss(const std::string& reason) { return reason == "connection lost" || reason == "lease ended"; }

}  // namespace

void LostNodes::apply(const v1::DirectoryEvent& delta, TimePoint now) {
  for (const v1::Departure& gone : delta.gone()) {
    if (!is_loss(gone.reason())) continue;
    std::erase_if(lost_, [now](const auto& each) { return now - each.second.at >= told; });
    if (lost_.size() < nodes_max || lost_.contains(gone.name()))
      lost_.insert_or_assign(gone.name(), Lost{gone.reason(), now});
  }
  if (lost_.empty()) return;
  for (const v1::NodeRecord& here : delta.changed()) lost_.erase(here.name());
}

v1::LostReply LostNodes::list(TimePoint now) const {
  v1::LostReply reply;
  for (const auto& [name, lost] : lost_) {
    if (now - lost.at >= told) continue;
    v1::LostNode& node = *reply.add_nodes();
    node.set_name(name);
    node.set_reason(lost.reason);
    node.set_ago_ms(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now - lost.at).count()));
  }
  return reply;
}

}  // namespace cobus::broker
