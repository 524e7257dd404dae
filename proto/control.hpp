// SPDX-License-Identifier: Apache-2.0
//
// Control: the characters that do something to a terminal instead of being seen: control characters (C0, DEL,
// C1), those that turn the direction of text around, separators of lines and others without a shape. Used by
// everything that shows text of others. Pure function.
#pragma once

#include <cstddef>
#include <string_view>

namespace cobus {

struct Control {
  std::size_t bytes = 0;  // of its UTF-8; 0: none
  char32_t code = 0;
};

// The one that `text`, which is UTF-8, begins with; none when it begins with another character.
[[nodiscard]] Control control_at(std::string_view text) noexcept;

}  // namespace cobus
