// SPDX-License-Identifier: Apache-2.0
//
// Route: which of this host's addresses others see when we talk to them.
#pragma once

#include <string>

#include "proto/status.hpp"

namespace cobus::link {

// The address (numeric, IPv6 in brackets) that this host would use towards `endpoint`
// (tcp://NUMERIC-ADDRESS:PORT). Sends nothing. UNAVAILABLE when there is no route. Any thread.
[[nodiscard]] Result<std::string> address_towards(const std::string& endpoint);

// Whether `endpoint` listens on every address, so that it cannot be dialled as it stands.
[[nodiscard]] bool listens_everywhere(const std::string& endpoint);

}  // namespace cobus::link
