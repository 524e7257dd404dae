// SPDX-License-Identifier: Apache-2.0
//
// The few bytes of the Protocol Buffers wire format that the codec needs: varints, fixed words,
// tags, bounded reads. Inline because they are the inner loop of every message.
// A reader returns the place behind what it read, or nullptr when that is malformed or cut short.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace cobus::wire {

static_assert(std::endian::native == std::endian::little, "fixed words are copied as they are");

enum class Type : std::uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

constexpr std::uint32_t tag(std::uint32_t field, Type type) noexcept {
  return field << 3 | static_cast<std::uint32_t>(type);
}

constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) * 9 + 64) / 64;
}

inline char* write_varint(char* out, std::uint64_t value) noexcept {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

inline char* write_fixed64(char* out, std::uint64_t value) noexcept {
  std::memcpy(out, &value, sizeof value);
  return out + sizeof value;
}

inline char* write_raw(char* out, std::string_view bytes) noexcept {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

inline const char* read_varint_slow(const char* at, const char* end, std::uint64_t& value) noexcept {
  std::uint64_t result = 0;
  for (unsigned shift = 0; at != end && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(*at++);
    result |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      value = result;
      return at;
    }
  }
  return nullptr;
}

inline const char* read_varint(const char* at, const char* end, std::uint64_t& value) noexcept {
  if (at != end && static_cast<unsigned char>(*at) < 0x80) {
    value = static_cast<unsigned char>(*at);
    return at + 1;
  }
  return read_varint_slow(at, end, value);
}

// A number wider than the field is cut, as Protocol Buffers does.
inline const char* read_varint(const char* at, const char* end, std::uint32_t& value) noexcept {
  std::uint64_t wide = 0;
  at = read_varint(at, end, wide);
  value = static_cast<std::uint32_t>(wide);
  return at;
}

inline const char* read_fixed64(const char* at, const char* end, std::uint64_t& value) noexcept {
  if (static_cast<std::size_t>(end - at) < sizeof value) return nullptr;
  std::memcpy(&value, at, sizeof value);
  return at + sizeof value;
}

// A length and that many bytes.
inline const char* read_bytes(const char* at, const char* end, std::string_view& bytes) noexcept {
  std::uint64_t size = 0;
  at = read_varint(at, end, size);
  if (at == nullptr || size > static_cast<std::uint64_t>(end - at)) return nullptr;
  bytes = std::string_view(at, static_cast<std::size_t>(size));
  return at + size;
}

// A tag takes at most five bytes and names a field above 0.
inline const char* read_tag(const char* at, const char* end, std::uint32_t& value) noexcept {
  if (at != end && static_cast<unsigned char>(*at) < 0x80) [[likely]] {
    value = static_cast<unsigned char>(*at);
    return value < 8 ? nullptr : at + 1;
  }
  std::uint64_t wide = 0;
  const char* const after = read_varint_slow(at, end, wide);
  if (after == nullptr || after - at > 5 || wide > UINT32_MAX || wide < 8) return nullptr;
  value = static_cast<std::uint32_t>(wide);
  return after;
}

// Steps over the value behind `tag`. Groups (types 3 and 4) and types 6 and 7 are malformed.
inline const char* skip_value(const char* at, const char* end, std::uint32_t tag) noexcept {
  std::uint64_t number = 0;
  std::string_view bytes;
  switch (tag & 7) {
    case 0:
      return read_varint(at, end, number);
    case 1:
      return end - at < 8 ? nullptr : at + 8;
    case 2:
      return read_bytes(at, end, bytes);
    case 5:
      return end - at < 4 ? nullptr : at + 4;
    default:
      return nullptr;
  }
}

}  // namespace cobus::wire
