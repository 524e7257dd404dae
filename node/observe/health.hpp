// SPDX-License-Identifier: Apache-2.0
//
// Health: how this process is, for cobus doctor: its clock, descriptors and certificate; and which other
// nodes it reaches, found out by asking them the same. Looks, and changes nothing.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include "node/worker/node.hpp"

namespace cobus {

[[nodiscard]] v1::HealthReply health_of(Node& node);

// Asks each of `nodes` (the first 1,000) for its health, all at once, for three seconds at most.
[[nodiscard]] Task<v1::ReachReply> reach(Self self, v1::ReachRequest request);

}  // namespace cobus
