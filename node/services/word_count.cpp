// SPDX-License-Identifier: Apache-2.0
#include "node/services/word_count.hpp"

namespace cobus::services {

WordCounts count_words(std::string_view text) noexcept {
  WordCounts counts;
  counts.bytes = text.size();
  bool in_word = false;
  for (const char c : text) {
    if (c == '\n') ++counts.lines;
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      in_word = false;
    } else if (c > ' ' && c <= '~') {
      counts.words += in_word ? 0 : 1;
      in_word = true;
    }
  }
  return counts;
}

}  // namespace cobus::services
