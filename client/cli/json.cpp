// SPDX-License-Identifier: Apache-2.0
#include "client/cli/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

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

// JSON lets DEL and the C1 controls (U+0080 to U+009F) stand as they are; a terminal obeys some of them.
std::string harmless(std::string json) {
  const auto control = [&json](std::size_t i) -> int {
    const auto c = static_cast<unsigned char>(json[i]);
    if (c == 0x7f) return c;
    const int next = i + 1 < json.size() ? static_cast<unsigned char>(json[i + 1]) : 0;
    return c == 0xc2 && next >= 0x80 && next < 0xa0 ? next : 0;
  };
  std::size_t i = 0;
  while (i < json.size() && control(i) == 0) ++i;
  if (i == json.size()) return json;
  std::string out = json.substr(0, i);
  for (; i < json.size(); ++i) {
    const int code = control(i);
    if (code == 0) {
      out += json[i];
      continue;
    }
    out += fmt::format("\\u{:04x}", code);
    if (code >= 0x80) ++i;
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
