// SPDX-License-Identifier: Apache-2.0
//
// Pool: memory for coroutine frames and envelopes. Free lists by size class (multiples of 16
// bytes up to 2 KiB), one set a thread, so that allocating and freeing take no lock. A block may be
// freed on another thread than it came from; what one thread has too much of goes to the others in
// batches. Blocks are cut from slabs that are kept for good: the process stays as large as it once was.
// Under AddressSanitizer it is plain malloc, so that every misuse is seen.
#pragma once

#include <cstddef>

namespace cobus {

// Throws std::bad_alloc when there is no memory.
[[nodiscard]] void* pool_allocate(std::size_t size);
// `size` as it was allocated.
void pool_free(void* block, std::size_t size) noexcept;

// Coroutine frames. The same, but for a frame that lies in memory of somebody else's (a worker's own
// block): its owner names it with frame_is_guest() before it destroys the coroutine, and puts back what
// was named until then when that is done. On one thread.
[[nodiscard]] const void* frame_is_guest(const void* frame) noexcept;
void frame_free(void* frame, std::size_t size) noexcept;

}  // namespace cobus
