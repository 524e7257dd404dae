// SPDX-License-Identifier: Apache-2.0
//
// count_words: what `LC_ALL=C wc` counts. A pure function; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace cobus::services {

struct WordCounts {
  std::uint64_t lines = 0;
  std::uint64_t words = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const WordCounts&, const WordCounts&) = default;
};

// In the C locale: a word is a run of characters that are not white space and holds at least one printable
// character (0x21 to 0x7e); other bytes neither begin nor end a word.
[[nodiscard]] WordCounts count_words(std::string_view text) noexcept;

}  // namespace cobus::services
