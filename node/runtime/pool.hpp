// SPDX-License-Identifier: Apache-2.0
//
// Pool: memory for coroutine frames and envelopes. Free lists by size class (multiples of 16
// bytes up to 2 KiB), one set a thread, so that allocating and freeing take no lock. A block may be
// freed on another thread than it came from; what one thread has too much of goes to the others in
// batches. Blocks are cut from slabs that are kept for good: the process stays as large as it once was.
// Under AddressSanitizer it is plain malloc, so that every misuse is seen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace cobus {
namespace detail::pool {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COBUS_POOL_IS_MALLOC 1
#endif
#endif
#ifndef COBUS_POOL_IS_MALLOC
#define COBUS_POOL_IS_MALLOC 0
#endif

inline constexpr std::size_t class_bytes = 16;  // what operator new aligns to
inline constexpr std::size_t pooled_bytes_max = 2048;
inline constexpr std::size_t class_count = pooled_bytes_max / class_bytes;
inline constexpr std::size_t batch_bytes = std::size_t{16} * 1024;

[[nodiscard]] constexpr bool pooled(std::size_t size) noexcept {
  return COBUS_POOL_IS_MALLOC == 0 && size <= pooled_bytes_max && size != 0;
}
[[nodiscard]] constexpr std::size_t class_of(std::size_t size) noexcept {
  return (size + class_bytes - 1) / class_bytes - 1;
}
[[nodiscard]] constexpr std::uint32_t batch_of(std::size_t index) noexcept {
  return static_cast<std::uint32_t>(batch_bytes / ((index + 1) * class_bytes));
}

struct Block {
  Block* next;
  Block* next_batch;  // of the first block of a batch that no thread has
};
static_assert(sizeof(Block) <= class_bytes);

struct Class {
  Block* first = nullptr;
  Block* spare = nullptr;  // a whole batch more
  std::uint32_t count = 0;
  std::uint32_t most = 0;  // of `count`; 0 before the first block and once the thread is leaving
};

// Without a destructor, so that its use needs no check whether it exists.
struct FreeLists {
  std::array<Class, class_count> classes{};
  char* slab = nullptr;
  std::size_t slab_left = 0;
  const void* guest = nullptr;  // the frame that is not ours to free
  std::uint32_t slabs = 0;
  bool leaving = false;
};
// One a thread, also in a module that hides its symbols.
[[gnu::visibility("default")]] inline constinit thread_local FreeLists lists;

// When the list of that class is empty, or full.
[[nodiscard]] void* refill(std::size_t index);
void free_slowly(void* block, std::size_t index) noexcept;

}  // namespace detail::pool

// Throws std::bad_alloc when there is no memory.
[[nodiscard]] inline void* pool_allocate(std::size_t size) {
  using namespace detail::pool;
  if (!pooled(size)) return ::operator new(size);
  Class& of_size = lists.classes[class_of(size)];
  Block* const block = of_size.first;
  if (block == nullptr) [[unlikely]]
    return refill(class_of(size));
  of_size.first = block->next;
  --of_size.count;
  return block;
}
// `size` as it was allocated.
inline void pool_free(void* block, std::size_t size) noexcept {
  using namespace detail::pool;
  if (!pooled(size)) return ::operator delete(block);
  Class& of_size = lists.classes[class_of(size)];
  if (of_size.count == of_size.most) [[unlikely]]
    return free_slowly(block, class_of(size));
  auto* const freed = static_cast<Block*>(block);
  freed->next = of_size.first;
  of_size.first = freed;
  ++of_size.count;
}

// Coroutine frames. The same, but for a frame that lies in memory of somebody else's (a worker's own
// block): its owner names it with frame_is_guest() before it destroys the coroutine, and puts back what
// was named until then when that is done. On one thread.
[[nodiscard]] inline const void* frame_is_guest(const void* frame) noexcept {
  return std::exchange(detail::pool::lists.guest, frame);
}
inline void frame_free(void* frame, std::size_t size) noexcept {
  if (frame != detail::pool::lists.guest) [[likely]]
    pool_free(frame, size);
}

}  // namespace cobus
