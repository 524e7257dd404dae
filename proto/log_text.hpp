// SPDX-License-Identifier: Apache-2.0
//
// Text of others in a line of the log: names, reasons and types that a peer gave may hold line ends, which
// forge lines, escape sequences, which drive the terminal that shows them, or a megabyte. Pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cobus {

// `text` as one line of printable UTF-8: control characters (see control.hpp) as \n, \t, \x1b or \u202e,
// malformed bytes as U+FFFD. Of a longer one only the first `bytes_max` bytes are shown, and how many there
// were.
[[nodiscard]] std::string log_text(std::string_view text, std::size_t bytes_max);

}  // namespace cobus
