// SPDX-License-Identifier: Apache-2.0
#include "proto/log_text.hpp"

#include "proto/utf8.hpp"

namespace cobus {
namespace {

constexpr std::string_view digits = "0123456789abcdef";
constexpr unsigned char c1_lead = 0xc2;  // U+0080 to U+009F are 0xc2 0x80 to 0xc2 0x9f

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

void append_escaped(std::string& into, unsigned char control) {
  if (control == '\n') {
    into += "\\n";
  } else if (control == '\t') {
    into += "\\t";
  } else {
    into += "\\x";
    into += digits[control >> 4];
    into += digits[control & 0xf];
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
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto c = static_cast<unsigned char>(whole[i]);
    if (c < 0x20 || c == 0x7f) {
      append_escaped(out, c);
    } else if (c == c1_lead && static_cast<unsigned char>(whole[i + 1]) < 0xa0) {
      append_escaped(out, static_cast<unsigned char>(whole[++i]));
    } else {
      out += whole[i];
    }
  }
  if (shown < text.size()) out += "... (" + std::to_string(text.size()) + " bytes)";
  return out;
}

}  // namespace cobus
