// SPDX-License-Identifier: Apache-2.0
//
// How a tapped message is shown: its JSON, as scripts rely on it, and its line for a person.
#pragma once

#include <cobus/v1/observe.pb.h>

#include <optional>
#include <string>

#include "client/cli/json.hpp"

namespace cobus::client {

// `body` is nothing unless payloads are shown.
[[nodiscard]] Json tap_json(const v1::TapRecord& record, const std::optional<Json>& body);

// Time, from, to, kind, method, type, size, latency, status. Cannot drive the terminal.
[[nodiscard]] std::string tap_line(const v1::TapRecord& record, const std::optional<Json>& body);

// The place of `count` records that the node left out.
[[nodiscard]] Json dropped_json(std::uint64_t count);
[[nodiscard]] std::string dropped_line(std::uint64_t count);

}  // namespace cobus::client
