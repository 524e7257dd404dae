// SPDX-License-Identifier: Apache-2.0
//
// PeerInfo: who is at the other end of a session, as its certificate and its Hello proved. A plain value.
#pragma once

#include <cstdint>
#include <string>

#include "node/link/keys.hpp"
#include "proto/address.hpp"

namespace cobus::link {

struct PeerInfo {
  NodeId node = NodeId::none;
  std::uint64_t incarnation = 0;
  std::string name;
  v1::Role role = v1::ROLE_UNSPECIFIED;
  CurveKey key;
  std::string build;
  std::uint32_t protocol = 0;     // the version spoken with it: the highest that both know
  std::uint64_t features = 0;     // bits of what both can do besides
  std::int64_t issued_s = 0;      // Unix seconds: the beginning of its certificate
  std::int64_t expires_s = 0;     // and its end
  std::int64_t show_again_s = 0;  // when it should have shown a later one; see LinkMachine::ask_for_later
};

}  // namespace cobus::link
