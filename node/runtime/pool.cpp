// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/pool.hpp"

#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

namespace cobus {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COBUS_POOL_IS_MALLOC 1
#endif
#endif
#ifndef COBUS_POOL_IS_MALLOC
#define COBUS_POOL_IS_MALLOC 0
#endif

constexpr std::size_t class_bytes = 16;  // what operator new aligns to
constexpr std::size_t pooled_bytes_max = 2048;
constexpr std::size_t class_count = pooled_bytes_max / class_bytes;
// New blocks are cut from slabs: a block of its own from malloc costs 16 bytes more and, on any thread
// but the first, a system call for every few, since glibc grows those heaps by a page at a time.
constexpr std::size_t slab_bytes = std::size_t{256} * 1024;
constexpr std::size_t huge_page_bytes = std::size_t{2} * 1024 * 1024;
constexpr std::uint32_t small_slabs = 16;
constexpr std::size_t batch_bytes = std::size_t{16} * 1024;

struct Block {
  Block* next;
  Block* next_batch;  // of the first block of a batch in the depot
};
static_assert(sizeof(Block) <= class_bytes);

constexpr std::size_t class_of(std::size_t size) noexcept {
  return (size + class_bytes - 1) / class_bytes - 1;
}
constexpr std::uint32_t batch_of(std::size_t index) noexcept {
  return static_cast<std::uint32_t>(batch_bytes / ((index + 1) * class_bytes));
}

// Full batches that one thread has too many of and another may lack. Any thread.
class Depot {
 public:
  void put(std::size_t index, Block* batch) noexcept {
    const std::scoped_lock lock(mutex_);
    batch->next_batch = batches_[index];
    batches_[index] = batch;
  }
  Block* take(std::size_t index) noexcept {
    const std::scoped_lock lock(mutex_);
    Block* const batch = batches_[index];
    if (batch != nullptr) batches_[index] = batch->next_batch;
    return batch;
  }

 private:
  std::mutex mutex_;
  std::array<Block*, class_count> batches_{};  // guarded by mutex_
};

Depot& depot() noexcept {
  static Depot* const one = new Depot;  // never destroyed: threads may outlive everything
  return *one;
}

struct Class {
  Block* first = nullptr;
  Block* spare = nullptr;  // a whole batch more
  std::uint32_t count = 0;
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
constinit thread_local FreeLists lists;

// Hands what the thread has to the others when it ends.
struct Leaver {
  ~Leaver() {
    lists.leaving = true;
    for (std::size_t i = 0; i < class_count; ++i) {
      Class& of_size = lists.classes[i];
      if (of_size.first != nullptr) depot().put(i, of_size.first);
      if (of_size.spare != nullptr) depot().put(i, of_size.spare);
      of_size = Class{};
    }
  }
};

// A thread that has taken many slabs gets huge pages, which spares it most page faults.
void new_slab() {
  const bool huge = lists.slabs++ >= small_slabs;
  lists.slab_left = huge ? huge_page_bytes : slab_bytes;
  lists.slab = static_cast<char*>(::operator new(lists.slab_left, std::align_val_t(lists.slab_left)));
  if (huge) static_cast<void>(::madvise(lists.slab, lists.slab_left, MADV_HUGEPAGE));
}

void* refill(Class& of_size, std::size_t index) {
  static thread_local Leaver leaver;
  static_cast<void>(leaver);
  Block* batch = of_size.spare;
  of_size.spare = nullptr;
  if (batch == nullptr) batch = depot().take(index);
  if (batch != nullptr) {
    of_size.first = batch->next;
    of_size.count = batch_of(index) - 1;
    return batch;
  }
  const std::size_t size = (index + 1) * class_bytes;
  if (lists.slab_left < size) new_slab();
  void* const block = lists.slab;
  lists.slab += size;
  lists.slab_left -= size;
  return block;
}

}  // namespace

void* pool_allocate(std::size_t size) {
  if (COBUS_POOL_IS_MALLOC != 0 || size > pooled_bytes_max || size == 0) return ::operator new(size);
  const std::size_t index = class_of(size);
  Class& of_size = lists.classes[index];
  if (Block* block = of_size.first) {
    of_size.first = block->next;
    --of_size.count;
    return block;
  }
  return refill(of_size, index);
}

void pool_free(void* block, std::size_t size) noexcept {
  if (COBUS_POOL_IS_MALLOC != 0 || size > pooled_bytes_max || size == 0) return ::operator delete(block);
  const std::size_t index = class_of(size);
  Class& of_size = lists.classes[index];
  auto* freed = static_cast<Block*>(block);
  if (lists.leaving) {
    freed->next = nullptr;
    return depot().put(index, freed);
  }
  if (of_size.count == batch_of(index)) {
    if (of_size.spare != nullptr) depot().put(index, of_size.spare);
    of_size.spare = of_size.first;
    of_size.first = nullptr;
    of_size.count = 0;
  }
  freed->next = of_size.first;
  of_size.first = freed;
  ++of_size.count;
}

const void* frame_is_guest(const void* frame) noexcept { return std::exchange(lists.guest, frame); }

void frame_free(void* frame, std::size_t size) noexcept {
  if (frame != lists.guest) [[likely]]
    pool_free(frame, size);
}

}  // namespace cobus
