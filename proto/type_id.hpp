// SPDX-License-Identifier: Apache-2.0
//
// Type ids: how an envelope names the type of its payload in eight bytes.
// 64-bit FNV-1a (Fowler, Noll, Vo; RFC 9923) of the full message name.
#pragma once

#include <cstdint>
#include <string_view>

namespace cobus {

enum class TypeId : std::uint64_t { none = 0 };

[[nodiscard]] constexpr std::uint64_t fnv1a(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  return hash;
}

[[nodiscard]] constexpr TypeId type_id(std::string_view full_name) noexcept {
  return TypeId{fnv1a(full_name)};
}

// Of a generated message class. Computed once a type.
template <class Message>
[[nodiscard]] TypeId type_id_of() {
  static const TypeId id = type_id(Message::descriptor()->full_name());
  return id;
}

}  // namespace cobus
