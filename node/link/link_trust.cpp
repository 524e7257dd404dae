// SPDX-License-Identifier: Apache-2.0
//
// The part of LinkMachine that ends trust: certificates that run out, keys that are revoked; and that shows
// and sees later certificates, over another connection of the same session.
#include <algorithm>

#include "node/link/link_machine.hpp"

namespace cobus::link {

void LinkMachine::revoke(const CurveKey& key, std::int64_t until_s) {
  greeter_.revoke(key, until_s);
  const Status reason(Code::permission_denied, "key " + short_fingerprint(key) + " was revoked");
  std::vector<NodeId> lost;
  for (const auto& [node, peer] : peers_) {
    if (peer.session && peer.info.key == key) lost.push_back(node);
  }
  for (const NodeId node : lost) end_session(*in_session(node), reason);
  // And whoever is on the way to a session.
  std::vector<ConnectionId> begun;
  for (const auto& [id, connection] : connections_) {
    if (connection.peer.key == key && connection.stage != Stage::leaving) begun.push_back(id);
  }
  for (const ConnectionId id : begun) drop(connections_.at(id));
  transport_.revoke(key, until_s);
}

void LinkMachine::use_certificate(const v1::Certificate& certificate) {
  if (!greeter_.use(certificate, unix_s())) return;
  told_ = true;
  published_.use_certificate(certificate);
  events_.on_enrolled(certificate);
  for (auto& [node, peer] : peers_) {
    if (peer.session && peer.up != ConnectionId::none && !peer.suspected) redial(peer);
  }
}

void LinkMachine::expire_certificates() {
  const std::int64_t now_s = unix_s();
  std::vector<NodeId> expired;
  for (auto& [node, peer] : peers_) {
    if (!peer.session) continue;
    if (now_s >= peer.info.expires_s) {
      expired.push_back(node);
    } else if (now_s >= peer.info.show_again_s) {
      ask_for_later(peer, now_s);
    }
  }
  for (const NodeId node : expired)
    end_session(*in_session(node), {Code::unauthenticated, "its certificate has expired"});
}

// It should have a later certificate by now, and shows it in the Hello of another connection. When it has
// none, it is asked again when half of the time that is left has passed.
void LinkMachine::ask_for_later(Peer& peer, std::int64_t now_s) {
  peer.info.show_again_s = now_s + std::max<std::int64_t>(1, (peer.info.expires_s - now_s) / 2);
  if (peer.up != ConnectionId::none && !peer.suspected) redial(peer);
}

}  // namespace cobus::link
