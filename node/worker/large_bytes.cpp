// SPDX-License-Identifier: Apache-2.0
#include "node/worker/large_bytes.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "node/runtime/huge_page.hpp"

namespace cobus {
namespace {

// Blocks of heap_max bytes that have gone, for those to come: what most large messages need. Freed, they
// would go back to the system, with all that lies beside them, to be had anew page by page. At most 8 MiB of
// the whole program. Any thread.
class SpareBlocks {
 public:
  // Null when there is none.
  [[nodiscard]] char* take() noexcept {
    const std::scoped_lock lock(mutex_);
    return count_ == 0 ? nullptr : blocks_[--count_];
  }
  // False when there are enough: it is still the caller's.
  [[nodiscard]] bool keep(char* block) noexcept {
    const std::scoped_lock lock(mutex_);
    if (count_ == blocks_.size()) return false;
    blocks_[count_++] = block;
    return true;
  }

 private:
  std::mutex mutex_;
  std::array<char*, 4> blocks_{};  // guarded by mutex_
  std::size_t count_ = 0;          // guarded by mutex_
};

constinit SpareBlocks spare_blocks;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

// What has less takes no spare block.
constexpr std::size_t worth_a_block = LargeBytes::heap_max / 8;

bool is_mapped(std::size_t capacity) noexcept { return capacity > LargeBytes::heap_max; }

std::size_t whole_pages(std::size_t bytes) noexcept {
  constexpr std::size_t page = 4096;
  return (bytes + page - 1) / page * page;
}

// Addresses for a mapping of so many bytes, whole pages, that huge pages fit into. Nothing may use them yet.
char* take_addresses(std::size_t bytes) {
  void* const taken =
      ::mmap(nullptr, bytes + huge_page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (taken == MAP_FAILED) throw std::bad_alloc();
  char* const from = static_cast<char*>(taken);
  const std::size_t before =
      (huge_page_bytes - reinterpret_cast<std::uintptr_t>(from) % huge_page_bytes) % huge_page_bytes;
  if (before != 0) ::munmap(from, before);
  ::munmap(from + before + bytes, huge_page_bytes - before);
  return from + before;
}

char* map(std::size_t bytes) {
  char* const at = take_addresses(bytes);
  if (::mprotect(at, bytes, PROT_READ | PROT_WRITE) != 0) {
    ::munmap(at, bytes);
    throw std::bad_alloc();
  }
  // A kernel without them gives small pages.
  static_cast<void>(::madvise(at, bytes, MADV_HUGEPAGE));
  return at;
}

// To addresses where its huge pages can stay what they are.
char* remap(char* data, std::size_t before, std::size_t bytes) {
  char* const at = take_addresses(bytes);
  if (::mremap(data, before, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED) return at;
  ::munmap(at, bytes);
  throw std::bad_alloc();
}

}  // namespace

LargeBytes::LargeBytes(LargeBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

LargeBytes& LargeBytes::operator=(LargeBytes&& other) noexcept {
  LargeBytes moved(std::move(other));
  std::swap(data_, moved.data_);
  std::swap(size_, moved.size_);
  std::swap(capacity_, moved.capacity_);
  return *this;
}

LargeBytes::~LargeBytes() { free(); }

void LargeBytes::free() noexcept {
  if (is_mapped(capacity_)) {
    ::munmap(data_, capacity_);
  } else if (capacity_ != heap_max || !spare_blocks.keep(data_)) {
    std::free(data_);
  }
}

void LargeBytes::append(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t together = size_ + bytes.size();
  if (together > capacity_) grow(std::max(together, 2 * capacity_));
  std::memcpy(data_ + size_, bytes.data(), bytes.size());
  size_ = together;
}

char* LargeBytes::make(std::size_t size) {
  LargeBytes made;
  made.grow(std::max<std::size_t>(size, 1));
  made.size_ = size;
  *this = std::move(made);
  return data_;
}

void LargeBytes::grow(std::size_t capacity) {
  const auto move_to = [this](char* memory, std::size_t bytes) noexcept {
    if (size_ != 0) std::memcpy(memory, data_, size_);
    free();
    data_ = memory;
    capacity_ = bytes;
  };
  if (is_mapped(capacity_)) {
    capacity = whole_pages(capacity);
    data_ = remap(data_, capacity_, capacity);
    capacity_ = capacity;
    return;
  }
  if (is_mapped(capacity)) {
    capacity = whole_pages(capacity);
    return move_to(map(capacity), capacity);
  }
  if (capacity > worth_a_block) {
    if (char* const spare = spare_blocks.take()) return move_to(spare, heap_max);
  }
  if (capacity > heap_max / 2) capacity = heap_max;
  auto* const grown = static_cast<char*>(std::realloc(data_, capacity));
  if (grown == nullptr) throw std::bad_alloc();
  data_ = grown;
  capacity_ = capacity;
}

}  // namespace cobus
