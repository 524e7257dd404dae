// SPDX-License-Identifier: Apache-2.0
//
// Terminal: what the two output streams can do, decided once at start and for each stream by itself, and
// how wide text is on a screen. Honours NO_COLOR, FORCE_COLOR, COLUMNS and TERM=dumb.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace cobus::client {

enum class Color : unsigned char { automatic, always, never };  // of --color

struct StreamTraits {
  bool terminal = false;  // somebody looks at it
  bool colors = false;
  bool moves = false;  // a line can be drawn again in place
  bool unicode = false;
  std::size_t columns = 80;
};

// Looks up an environment variable; null when it is not set.
using Environment = std::function<const char*(const char*)>;

// `terminal` and `columns` (0 = unknown) are what the system says of the stream.
[[nodiscard]] StreamTraits stream_traits(bool terminal, std::size_t columns, Color color,
                                         const Environment& environment);
// The same, asking the system about the descriptor.
[[nodiscard]] StreamTraits stream_traits_of(int descriptor, Color color);

// Columns that UTF-8 text takes: 2 for wide characters, 0 for combining ones; malformed bytes and control
// characters count 1.
[[nodiscard]] std::size_t display_width(std::string_view text);
// At most `width` columns of `text`, the last of them an ellipsis if something is cut off.
[[nodiscard]] std::string fit(std::string_view text, std::size_t width);
// `text` with every control character (see proto/control.hpp) replaced, so that no peer's text can drive the
// terminal or turn what stands beside it around. Line ends and tabs become blanks, or stay.
enum class Lines : unsigned char { join, keep };
[[nodiscard]] std::string printable(std::string_view text, Lines lines = Lines::join);
// The same as one line; of a longer text its first `bytes_max` bytes, and how many there were.
[[nodiscard]] std::string short_printable(std::string_view text, std::size_t bytes_max);

}  // namespace cobus::client
