// SPDX-License-Identifier: Apache-2.0
#include "node/worker/large_bytes.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace cobus {
namespace {

constexpr std::size_t huge_page = std::size_t{2} * 1024 * 1024;

bool is_mapped(std::size_t capacity) noexcept { return capacity > LargeBytes::heap_max; }

std::size_t whole_pages(std::size_t bytes) noexcept {
  constexpr std::size_t page = 4096;
  return (bytes + page - 1) / page * page;
}

// Addresses for a mapping of so many bytes, whole pages, that huge pages fit into. Nothing may use them yet.
char* take_addresses(std::size_t bytes) {
  void* const taken =
      ::mmap(nullptr, bytes + huge_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (taken == MAP_FAILED) throw std::bad_alloc();
  char* const from = static_cast<char*>(taken);
  const std::size_t before = (huge_page - reinterpret_cast<std::uintptr_t>(from) % huge_page) % huge_page;
  if (before != 0) ::munmap(from, before);
  ::munmap(from + before + bytes, huge_page - before);
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
  } else {
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
  char* grown = nullptr;
  if (!is_mapped(capacity)) {
    grown = static_cast<char*>(std::realloc(data_, capacity));
    if (grown == nullptr) throw std::bad_alloc();
  } else {
    capacity = whole_pages(capacity);
    if (is_mapped(capacity_)) {
      grown = remap(data_, capacity_, capacity);
    } else {
      grown = map(capacity);
      if (size_ != 0) std::memcpy(grown, data_, size_);
      std::free(data_);
    }
  }
  data_ = grown;
  capacity_ = capacity;
}

}  // namespace cobus
