// SPDX-License-Identifier: Apache-2.0
//
// How many files and connections this process may have open at once. The usual soft limit of 1024 is for
// programs that use select(); who serves many connections raises it at its start.
#pragma once

#include <cstddef>

namespace cobus {

[[nodiscard]] std::size_t descriptor_limit() noexcept;

// Raises the soft limit to the hard one, or to a million where that is more, for this process and its
// children. Where that is not allowed, nothing changes. Before any thread.
void raise_descriptor_limit() noexcept;

}  // namespace cobus
