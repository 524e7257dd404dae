// SPDX-License-Identifier: Apache-2.0
//
// What the global flags mean for every verb alike.
#pragma once

#include "client/cli/command.hpp"
#include "client/cli/output.hpp"

namespace cobus::client {

// What -o, or --json before it, or the configuration asks for.
[[nodiscard]] std::optional<Format> asked_format(const Context& context);
// The same, or the default of this stdout.
[[nodiscard]] Format format_of(const Context& context);
// --color, for the console's traits.
[[nodiscard]] Color color_of(const Arguments& globals);

}  // namespace cobus::client
