// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/pool.hpp"

#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

#include "node/runtime/huge_page.hpp"

namespace cobus::detail::pool {
namespace {

// New blocks are cut from slabs: a block of its own from malloc costs 16 bytes more and, on any thread
// but the first, a system call for every few, since glibc grows those heaps by a page at a time.
constexpr std::size_t slab_bytes = std::size_t{256} * 1024;
constexpr std::uint32_t small_slabs = 16;

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
  const bool huge = lists.slabs >= small_slabs;
  const std::size_t bytes = huge ? huge_page_bytes : slab_bytes;
  lists.slab = static_cast<char*>(::operator new(bytes, std::align_val_t(bytes)));  // or all stays as it was
  lists.slab_left = bytes;
  ++lists.slabs;
  if (huge) static_cast<void>(::madvise(lists.slab, bytes, MADV_HUGEPAGE));
}

// Has what this thread keeps given away when it ends.
void be_left() {
  static thread_local Leaver leaver;
  static_cast<void>(leaver);
}

}  // namespace

void* refill(std::size_t index) {
  be_left();
  Class& of_size = lists.classes[index];
  if (!lists.leaving) of_size.most = batch_of(index);
  Block* batch = std::exchange(of_size.spare, nullptr);
  if (batch == nullptr) batch = depot().take(index);
  if (batch != nullptr && lists.leaving) {
    if (batch->next != nullptr) depot().put(index, batch->next);
    return batch;
  }
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

void free_slowly(void* block, std::size_t index) noexcept {
  Class& of_size = lists.classes[index];
  auto* const freed = static_cast<Block*>(block);
  if (lists.leaving) {
    freed->next = nullptr;
    return depot().put(index, freed);
  }
  be_left();
  of_size.most = batch_of(index);
  if (of_size.count == of_size.most) {
    if (of_size.spare != nullptr) depot().put(index, of_size.spare);
    of_size.spare = of_size.first;
    of_size.first = nullptr;
    of_size.count = 0;
  }
  freed->next = of_size.first;
  of_size.first = freed;
  ++of_size.count;
}

}  // namespace cobus::detail::pool
