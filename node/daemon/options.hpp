// SPDX-License-Identifier: Apache-2.0
//
// What cobus-node can be told. The table is the only place that lists its options.
#pragma once

#include <vector>

#include "node/runtime/options.hpp"

namespace cobus::daemon {

[[nodiscard]] const std::vector<OptionSpec>& node_options();

}  // namespace cobus::daemon
