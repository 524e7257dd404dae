// SPDX-License-Identifier: Apache-2.0
#include "proto/log_text.hpp"

#include <algorithm>

#include "proto/control.hpp"
#include "proto/utf8.hpp"

namespace cobus {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

void append_escaped(std::string& into, char32_t control) {
  static constexpr std::string_view digits = "0123456789abcdef";
  if (control == '\n') {
    into += "\\n";
  } else if (control == '\t') {
    into += "\\t";
  } else {
    into += control > 0xffff ? "\\U" : control > 0xff ? "\\u" : "\\x";
    for (int shift = control > 0xffff ? 28 : control > 0xff ? 12 : 4; shift >= 0; shift -= 4)
      into += digits[(control >> shift) & 0xf];
  }
}

}  // namespace

std::string log_text(std::string_view text, std::size_t bytes_max) {
  std::size_t shown = text.size();
  if (shown > bytes_max) {
    shown = bytes_max;
    // Not in the middle of a character.
    for (int i = 0; i < 3 && shown > 0 && is_continuation(text[shown]); ++i) --shown;
  }
  const std::string whole = utf8_repaired(text.substr(0, shown));
  std::string out;
  out.reserve(whole.size());
  for (std::size_t i = 0; i < whole.size();) {
    const Control control = control_at(std::string_view(whole).substr(i));
    if (control.bytes > 0) {
      append_escaped(out, control.code);
    } else {
      out += whole[i];
    }
    i += std::max<std::size_t>(control.bytes, 1);
  }
  if (shown < text.size()) out += "... (" + std::to_string(text.size()) + " bytes)";
  return out;
}

}  // namespace cobus
