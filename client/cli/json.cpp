// SPDX-License-Identifier: Apache-2.0
#include "client/cli/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "proto/control.hpp"

namespace cobus::client {
namespace {

// Whether YAML reads `text` back as that very string without quotes.
bool needs_no_quotes(std::string_view text) {
  static constexpr std::array<std::string_view, 9> words = {"true", "false", "null", "yes", "no",
                                                            "on",   "off",   "y",    "n"};
  if (text.empty() || text.size() > 128) return false;
  const auto letter = [](unsigned char c) { return std::isalpha(c) != 0 || c == '_' || c == '/'; };
  const auto inside = [letter](unsigned char c) {
    return letter(c) || std::isdigit(c) != 0 || c == '.' || c == '-';
  };
  if (!letter(static_cast<unsigned char>(text[0])) || !std::all_of(text.begin(), text.end(), inside))
    return false;
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::find(words.begin(), words.end(), lower) == words.end();
}

std::string scalar(const Json& value) {
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    if (needs_no_quotes(text)) return text;
  }
  return one_line(value);  // JSON is YAML; also {} and []
}

// JSON lets DEL, the C1 controls and characters that turn text around stand as they are.
std::string harmless(std::string json) {
  const auto control = [&json](std::size_t i) { return control_at(std::string_view(json).substr(i)); };
  // indented() has line ends.
  const auto is_safe = [&](std::size_t i) { return control(i).bytes == 0 || json[i] == '\n'; };
  std::size_t i = 0;
  while (i < json.size() && is_safe(i)) ++i;
  if (i == json.size()) return json;
  std::string out = json.substr(0, i);
  while (i < json.size()) {
    if (is_safe(i)) {
      out += json[i++];
      continue;
    }
    const Control found = control(i);
    const auto code = static_cast<std::uint32_t>(found.code);
    if (code > 0xffff) {
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((code - 0x10000) >> 10), 0xdc00 + (code & 0x3ff));
    } else {
      out += fmt::format("\\u{:04x}", code);
    }
    i += found.bytes;
  }
  return out;
}

bool is_block(const Json& value) { return value.is_structured() && !value.empty(); }

void write_block(const Json& value, std::size_t indent, std::string& out);

// What follows "key:" or "-".
void write_value(const Json& value, std::size_t indent, bool in_list, std::string& out) {
  if (!is_block(value)) {
    out += ' ' + scalar(value) + '\n';
  } else if (in_list) {
    // The first line of the block continues the line of the dash.
    std::string block;
    write_block(value, indent, block);
    out += ' ' + block.substr(indent);
  } else {
    out += '\n';
    write_block(value, indent, out);
  }
}

void write_block(const Json& value, std::size_t indent, std::string& out) {
  for (const auto& item : value.items()) {
    out.append(indent, ' ');
    if (value.is_array()) {
      out += '-';
      write_value(item.value(), indent + 2, true, out);
    } else {
      out += needs_no_quotes(item.key()) ? item.key() : one_line(Json(item.key()));
      out += ':';
      write_value(item.value(), indent + 2, false, out);
    }
  }
}

}  // namespace

std::string one_line(const Json& value) {
  return harmless(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string indented(const Json& value) {
  return harmless(value.dump(2, ' ', false, Json::error_handler_t::replace));
}

std::string to_yaml(const Json& value) {
  if (!is_block(value)) return scalar(value) + '\n';
  std::string out;
  write_block(value, 0, out);
  return out;
}

std::string plain(const Json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  return one_line(value);
}

const Json& field(const Json& object, std::string_view key) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

}  // namespace cobus::client
