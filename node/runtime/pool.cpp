// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/pool.hpp"

#include <array>
#include <cstdint>
#include <new>

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

constexpr std::size_t class_bytes = 32;
constexpr std::size_t pooled_bytes_max = 2048;
constexpr std::size_t kept_per_class_max = 8192;

struct Block {
  Block* next;
};

struct FreeLists {
  struct Class {
    Block* first = nullptr;
    std::uint32_t count = 0;
  };
  std::array<Class, pooled_bytes_max / class_bytes> classes{};

  FreeLists() noexcept = default;
  FreeLists(const FreeLists&) = delete;
  FreeLists& operator=(const FreeLists&) = delete;
  ~FreeLists() {
    for (Class& of_size : classes) {
      while (Block* block = of_size.first) {
        of_size.first = block->next;
        ::operator delete(block);
      }
      of_size.count = kept_per_class_max;  // what is freed during thread exit goes straight back
    }
  }
};

thread_local FreeLists lists;

std::size_t class_of(std::size_t size) noexcept { return (size + class_bytes - 1) / class_bytes - 1; }

}  // namespace

void* pool_allocate(std::size_t size) {
  if (COBUS_POOL_IS_MALLOC != 0 || size > pooled_bytes_max || size == 0) return ::operator new(size);
  const std::size_t index = class_of(size);
  FreeLists::Class& of_size = lists.classes[index];
  if (Block* block = of_size.first) {
    of_size.first = block->next;
    --of_size.count;
    return block;
  }
  return ::operator new((index + 1) * class_bytes);
}

void pool_free(void* block, std::size_t size) noexcept {
  if (COBUS_POOL_IS_MALLOC != 0 || size > pooled_bytes_max || size == 0) return ::operator delete(block);
  FreeLists::Class& of_size = lists.classes[class_of(size)];
  if (of_size.count >= kept_per_class_max) return ::operator delete(block);
  auto* freed = static_cast<Block*>(block);
  freed->next = of_size.first;
  of_size.first = freed;
  ++of_size.count;
}

}  // namespace cobus
