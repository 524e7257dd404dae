// SPDX-License-Identifier: Apache-2.0
#include "proto/json_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <vector>

#include "proto/utf8.hpp"

namespace cobus {
namespace {

using Json = nlohmann::json;

constexpr std::size_t shown_bytes_max = 40;
constexpr std::size_t quoted_bytes_max = 120;
constexpr std::size_t whole_digits_max = 20;        // of a number of 64 bits
constexpr double exact_below = 9007199254740992.0;  // 2^53: a double holds every whole number up to here
constexpr int number_overflow = 406;                // nlohmann's number of that error
// U+FDD0, which Unicode promises never to assign: stands where a byte was not UTF-8.
constexpr std::string_view bad_byte_mark = "\xef\xb7\x90";

Status wrong(std::string message) { return Status(Code::invalid_argument, std::move(message)); }

std::string cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  return std::string(text.substr(0, utf8_valid_bytes(text.substr(0, bytes_max)))) + "...";
}

// "line 2, column 7" of the byte at `offset`.
std::string place_of(std::string_view json, std::size_t offset) {
  const std::string_view before = json.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n');
  const std::size_t column = start == std::string_view::npos ? before.size() + 1 : before.size() - start;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

// Where the first array or object begins that stands inside json_depth_max others. Looked for before the text
// is parsed: functions that call themselves for each level would take apart what nests without bound.
std::optional<std::size_t> too_deep_at(std::string_view json) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > json_depth_max) return i;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::nullopt;
}

// The digits of the number `text` when it is whole and is written with a fraction or an exponent:
// "9007199254740993.0" and "1.8e19". Empty when it is not whole or has more digits than 64 bits hold.
std::string whole_digits(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t mark = text.find_first_of("eE");
  const std::string_view mantissa = text.substr(0, mark);
  long exponent = 0;
  if (mark != std::string_view::npos)
    exponent = std::strtol(std::string(text.substr(mark + 1)).c_str(), nullptr, 10);
  std::string digits(mantissa.substr(0, mantissa.find('.')));
  if (const std::size_t point = mantissa.find('.'); point != std::string_view::npos) {
    digits += mantissa.substr(point + 1);
    exponent -= static_cast<long>(mantissa.size() - point - 1);
  }
  for (; exponent < 0 && digits.ends_with('0'); ++exponent) digits.pop_back();
  if (exponent < 0 || static_cast<std::size_t>(exponent) > whole_digits_max) return {};
  digits.append(static_cast<std::size_t>(exponent), '0');
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty() || digits.size() > whole_digits_max) return {};
  return (negative ? "-" : "") + digits;
}

template <class Integer>
std::optional<Json> as_integer(std::string_view digits) {
  Integer value{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return Json(value);
}

// Builds the tree. Holds pointers into it; an array or object does not move while it is being filled.
class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  TreeBuilder(std::string_view text, Json& root) : text_(text), root_(root) {}
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override {
    return value == 0 ? add(-0.0) : add(value);  // "-0", which only a double holds
  }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool number_float(number_float_t value, const string_t& token) override {
    if (token.find_first_of(".eE") == string_t::npos)
      return add(Json::binary(std::vector<std::uint8_t>(token.begin(), token.end())));
    if (std::abs(value) >= exact_below) {
      const std::string digits = whole_digits(token);
      if (auto whole = as_integer<std::int64_t>(digits)) return add(std::move(*whole));
      if (auto whole = as_integer<std::uint64_t>(digits)) return add(std::move(*whole));
    } else if (std::trunc(value) == value && !(value == 0 && std::signbit(value))) {
      return add(static_cast<std::int64_t>(value));
    }
    return add(value);
  }
  bool start_object(std::size_t /*elements*/) override { return open(Json::object()); }
  bool start_array(std::size_t /*elements*/) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (open_.back()->contains(name)) {
      status_ = wrong("the JSON has the name " + in_quotes(name) + " twice in one object; give it once");
      return false;
    }
    key_ = std::move(name);
    return true;
  }

  // nlohmann says "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error while
  // parsing object - unexpected end of input; expected '}'"; the part behind the place is what helps.
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    const bool overflow = error.id == number_overflow;
    const std::size_t back = overflow ? token.size() : position == 0 ? 0 : 1;
    const std::string place = place_of(text_, std::min(position - std::min(back, position), text_.size()));
    std::string_view reason = error.what();
    if (const std::size_t at = reason.find(": "); at != std::string_view::npos) reason.remove_prefix(at + 2);
    std::string said(reason);
    constexpr std::string_view last_read = "last read: '";
    if (const std::size_t at = said.find(last_read); at != std::string::npos) {
      const std::size_t from = at + last_read.size();
      const std::size_t to = std::max(from, said.rfind('\''));
      said.replace(from, to - from, cut(said.substr(from, to - from), shown_bytes_max));
    }
    if (overflow) said = "the number " + cut(token, shown_bytes_max) + " is out of the range of a double";
    status_ = wrong("malformed JSON at " + place + ": " + said);
    return false;
  }

 private:
  bool add(Json value) {
    put(std::move(value));
    return true;
  }
  bool open(Json value) {
    open_.push_back(put(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  Json* put(Json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    Json& into = *open_.back();
    if (into.is_array()) return &into.get_ref<Json::array_t&>().emplace_back(std::move(value));
    return &into.get_ref<Json::object_t&>().emplace(std::move(key_), std::move(value)).first->second;
  }

  std::string_view text_;
  Json& root_;
  std::vector<Json*> open_;  // arrays and objects that are not closed, the outermost first
  std::string key_;          // of the member that comes next
  Status status_;
};

// Where `mark` is: the path of the first string value or key that holds it.
std::optional<std::string> find_mark(const Json& value, std::string_view mark, const std::string& path) {
  if (value.is_string() && value.get_ref<const std::string&>().find(mark) != std::string::npos) return path;
  if (!value.is_structured()) return std::nullopt;
  for (const auto& [key, member] : value.items()) {
    if (value.is_object() && key.find(mark) != std::string::npos)
      return path.empty() ? "(a name)" : path + " (a name in it)";
    const std::string here = value.is_array() ? path + "[" + key + "]"
                             : path.empty()   ? key
                                              : path + "." + key;
    if (auto found = find_mark(member, mark, here)) return found;
  }
  return std::nullopt;
}

Status not_utf8(const std::string& type, std::string_view json, std::size_t offset) {
  const std::string marked = std::string(json.substr(0, offset)) + std::string(bad_byte_mark) +
                             utf8_repaired(json.substr(offset + 1));
  const Json value = Json::parse(marked, nullptr, false);
  const std::optional<std::string> path =
      value.is_discarded() ? std::nullopt : find_mark(value, bad_byte_mark, "");
  static constexpr std::string_view digits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(json[offset]);
  return wrong((path ? "field " + in_quotes(*path) + " of " + type : "the JSON") + " is not UTF-8: byte 0x" +
               digits[byte >> 4] + digits[byte & 0xf] + " at " + place_of(json, offset) +
               "; convert the text (iconv -t UTF-8), or send it in a field of type bytes");
}

}  // namespace

std::string wide_digits(const Json& value) {
  const Json::binary_t& bytes = value.get_binary();
  return {bytes.begin(), bytes.end()};
}

std::string in_quotes(std::string_view text) { return "'" + cut(text, quoted_bytes_max) + "'"; }

std::string described(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  const std::string text =
      cut(is_wide(value) ? wide_digits(value) : value.dump(-1, ' ', false, Json::error_handler_t::replace),
          shown_bytes_max);
  if (value.is_string()) return "the string " + text;
  return value.is_number() || is_wide(value) ? "the number " + text : text;
}

Result<Json> parse_json(const std::string& type, std::string_view json) {
  if (json.starts_with("\xef\xbb\xbf")) {
    return fail(
        wrong("the JSON begins with a byte order mark (the bytes EF BB BF), which JSON has not; save it as "
              "UTF-8 without one"));
  }
  if (json.starts_with("\xff\xfe") || json.starts_with("\xfe\xff")) {
    return fail(
        wrong("the JSON is UTF-16, says its byte order mark; convert it with: iconv -f UTF-16 -t UTF-8"));
  }
  if (json.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return fail(wrong("the JSON for " + type + " is empty; an empty message is written {}"));
  if (const auto offset = too_deep_at(json)) {
    return fail(wrong("the JSON for " + type + " is nested over " + std::to_string(json_depth_max) +
                      " levels deep at " + place_of(json, *offset)));
  }
  if (const std::size_t valid = utf8_valid_bytes(json); valid != json.size())
    return fail(not_utf8(type, json, valid));
  Json root;
  TreeBuilder builder(json, root);
  if (!Json::sax_parse(json, &builder)) return fail(builder.status());
  return root;
}

}  // namespace cobus
