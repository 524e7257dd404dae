// SPDX-License-Identifier: Apache-2.0
#include "proto/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace cobus {
namespace {

// Bytes of the well-formed sequence that `text` (not empty) starts with; 0 when it is malformed.
// The bounds of the second byte exclude overlong forms, surrogates and what lies above U+10FFFF.
std::size_t sequence_bytes(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (length == 0 || text.size() < length) return 0;
  const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::size_t utf8_valid_bytes(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t word = 0;
    if (text.size() - at >= sizeof word) {
      std::memcpy(&word, text.data() + at, sizeof word);
      if ((word & 0x8080808080808080ULL) == 0) {
        at += sizeof word;
        continue;
      }
    }
    const std::size_t length = sequence_bytes(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return at;
}

std::string utf8_repaired(std::string_view text) {
  std::string result;
  for (;;) {
    const std::size_t valid = utf8_valid_bytes(text);
    result.append(text.substr(0, valid));
    if (valid == text.size()) return result;
    result.append("\xef\xbf\xbd");
    text.remove_prefix(valid + 1);
  }
}

}  // namespace cobus
