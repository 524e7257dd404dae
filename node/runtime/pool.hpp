// SPDX-License-Identifier: Apache-2.0
//
// Pool: memory for coroutine frames and envelopes. Free lists by size class (multiples of 32
// bytes up to 2 KiB), one set a thread, so that allocating and freeing take no lock. A block may be
// freed on another thread than it came from; a list that grows past its cap gives memory back.
// Under AddressSanitizer it is plain malloc, so that every misuse is seen.
#pragma once

#include <cstddef>

namespace cobus {

// Throws std::bad_alloc when there is no memory.
[[nodiscard]] void* pool_allocate(std::size_t size);
// `size` as it was allocated.
void pool_free(void* block, std::size_t size) noexcept;

}  // namespace cobus
