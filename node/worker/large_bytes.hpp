// SPDX-License-Identifier: Apache-2.0
//
// LargeBytes: the bytes of one message, which may be many: memory of the heap while they are few, a mapping
// of its own beyond that, with huge pages where the kernel gives them. Page faults of 4 KiB each would else
// take longer than to fill it. It grows without copying what a mapping holds: the kernel moves the pages.
// Owned by one place at a time; not safe for threads.
#pragma once

#include <cstddef>
#include <string_view>

namespace cobus {

class LargeBytes {
 public:
  // What has more is mapped.
  static constexpr std::size_t heap_max = std::size_t{2} * 1024 * 1024;

  LargeBytes() noexcept = default;
  LargeBytes(LargeBytes&& other) noexcept;
  LargeBytes& operator=(LargeBytes&& other) noexcept;
  LargeBytes(const LargeBytes&) = delete;
  LargeBytes& operator=(const LargeBytes&) = delete;
  ~LargeBytes();

  // Adds `bytes` behind those that are here, in memory that is at most twice what is then used, whatever more
  // of its addresses are taken. Throws std::bad_alloc and is unchanged.
  void append(std::string_view bytes);
  // Room for exactly `size` bytes, to be written by the caller; what was here is gone. Throws std::bad_alloc
  // and is unchanged.
  [[nodiscard]] char* make(std::size_t size);

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::string_view view() const noexcept { return {data_, size_}; }

 private:
  void grow(std::size_t capacity);
  void free() noexcept;

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;  // above heap_max: it is mapped
};

}  // namespace cobus
