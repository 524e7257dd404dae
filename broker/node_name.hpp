// SPDX-License-Identifier: Apache-2.0
//
// What a participant may be called: names appear in commands, file names, labels of metrics and URLs,
// so they are kept to characters that need no quoting in any of them.
#pragma once

#include <cstddef>
#include <string_view>

#include "node/link/keys.hpp"
#include "proto/status.hpp"

namespace cobus::broker {

inline constexpr std::size_t node_name_length_max = 63;

// OK for [A-Za-z0-9][A-Za-z0-9._-]{0,62}; INVALID_ARGUMENT saying what is wrong otherwise.
[[nodiscard]] Status check_node_name(std::string_view name);

// ALREADY_EXISTS, naming both: `holder` has the name, so `key` cannot have it.
[[nodiscard]] Status name_is_held(std::string_view name, const link::CurveKey& holder,
                                  const link::CurveKey& key);

}  // namespace cobus::broker
