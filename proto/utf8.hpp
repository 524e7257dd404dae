// SPDX-License-Identifier: Apache-2.0
//
// UTF-8: Protocol Buffers refuses a `string` field that is not UTF-8, so text of unknown origin
// (what an exception says, a file's contents) is checked or repaired before it goes into one.
// Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cobus {

// Bytes from the start of `text` that are well-formed UTF-8: text.size() when all of it is. Overlong
// forms, surrogates and values above U+10FFFF are malformed.
[[nodiscard]] std::size_t utf8_valid_bytes(std::string_view text) noexcept;

// `text` with U+FFFD for every byte that is not part of well-formed UTF-8.
[[nodiscard]] std::string utf8_repaired(std::string_view text);

}  // namespace cobus
