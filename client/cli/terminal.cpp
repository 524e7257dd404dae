// SPDX-License-Identifier: Apache-2.0
#include "client/cli/terminal.hpp"

#include <locale.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "proto/control.hpp"
#include "proto/utf8.hpp"

namespace cobus::client {
namespace {

constexpr std::string_view ellipsis = "…";

bool set_and_not_empty(const char* value) { return value != nullptr && *value != '\0'; }

bool says_utf8(const Environment& environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = environment(name);
    if (!set_and_not_empty(value)) continue;
    return std::strstr(value, "UTF-8") != nullptr || std::strstr(value, "utf8") != nullptr ||
           std::strstr(value, "UTF8") != nullptr || std::strstr(value, "utf-8") != nullptr;
  }
  return false;
}

bool use_colors(bool shown, Color color, const Environment& environment) {
  if (color != Color::automatic) return color == Color::always;
  if (set_and_not_empty(environment("NO_COLOR"))) return false;
  if (const char* forced = environment("FORCE_COLOR"); set_and_not_empty(forced))
    return std::strcmp(forced, "0") != 0;
  return shown;
}

// glibc's own tables, whatever the user's locale.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) previous_ = ::uselocale(locale_);
  }
  ~Utf8Locale() {
    if (locale_ == nullptr) return;
    ::uselocale(previous_);
    ::freelocale(locale_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t locale_;
  locale_t previous_ = nullptr;
};

struct Character {
  std::size_t bytes = 1;
  std::size_t width = 1;
};

// The first character of `text`, which is not empty. Inside a Utf8Locale.
Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {};
  std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (length == 1 || length > text.size() || utf8_valid_bytes(text.substr(0, length)) != length) return {};
  std::uint32_t value = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i)
    value = (value << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  const int width = ::wcwidth(static_cast<wchar_t>(value));
  return {length, width < 0 ? 1 : static_cast<std::size_t>(width)};
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

StreamTraits stream_traits(bool terminal, std::size_t columns, Color color, const Environment& environment) {
  StreamTraits traits;
  const char* term = environment("TERM");
  const bool dumb = !set_and_not_empty(term) || std::strcmp(term, "dumb") == 0;
  traits.terminal = terminal;
  traits.moves = terminal && !dumb;
  traits.colors = use_colors(traits.moves, color, environment);
  traits.unicode = says_utf8(environment);
  if (columns != 0) traits.columns = columns;
  if (const char* said = environment("COLUMNS"); set_and_not_empty(said)) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(said, said + std::strlen(said), value);
    if (error == std::errc() && *end == '\0' && value > 0) traits.columns = value;
  }
  return traits;
}

StreamTraits stream_traits_of(int descriptor, Color color) {
  winsize size{};
  const bool known = ::ioctl(descriptor, TIOCGWINSZ, &size) == 0;
  return stream_traits(::isatty(descriptor) == 1, known ? size.ws_col : 0, color,
                       [](const char* name) { return std::getenv(name); });
}

std::size_t display_width(std::string_view text) {
  if (is_ascii(text)) return text.size();
  const Utf8Locale utf8;
  std::size_t width = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    width += character.width;
    text.remove_prefix(character.bytes);
  }
  return width;
}

std::string fit(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  const Utf8Locale utf8;
  std::size_t taken = 0;
  std::size_t used = 0;
  while (taken < text.size()) {
    const Character character = first_character(text.substr(taken));
    if (used + character.width > width - 1) break;
    used += character.width;
    taken += character.bytes;
  }
  return std::string(text.substr(0, taken)) + std::string(ellipsis);
}

std::string printable(std::string_view text, Lines lines) {
  std::string safe = utf8_repaired(text);
  std::string out;
  out.reserve(safe.size());
  for (std::size_t i = 0; i < safe.size();) {
    const Control control = control_at(std::string_view(safe).substr(i));
    const bool blank = control.code == '\n' || control.code == '\t';
    out += control.bytes == 0 || (blank && lines == Lines::keep) ? safe[i] : blank ? ' ' : '?';
    i += std::max<std::size_t>(control.bytes, 1);
  }
  return out;
}

std::string short_printable(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return printable(text);
  std::size_t shown = bytes_max;
  for (int i = 0; i < 3 && shown > 0 && (static_cast<unsigned char>(text[shown]) & 0xc0) == 0x80; ++i)
    --shown;
  return printable(text.substr(0, shown)) + "... (" + std::to_string(text.size()) + " bytes)";
}

}  // namespace cobus::client
