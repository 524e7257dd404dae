// SPDX-License-Identifier: Apache-2.0
#include "proto/json_check.hpp"

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/similar.hpp"
#include "proto/utf8.hpp"

namespace cobus {
namespace {

namespace pb = google::protobuf;
using Json = nlohmann::json;
using Field = pb::FieldDescriptor;

constexpr int depth_max = 100;  // arrays and objects within one another; protobuf's own
constexpr std::size_t shown_bytes_max = 40;
constexpr std::size_t listed_names_max = 12;
// U+FDD0, which Unicode promises never to assign: stands where a byte was not UTF-8.
constexpr std::string_view bad_byte_mark = "\xef\xb7\x90";

Status wrong(std::string message) { return Status(Code::invalid_argument, std::move(message)); }

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

// "a string \"abc\"", "a number 5", "an object".
std::string described(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > shown_bytes_max) {
    text.resize(utf8_valid_bytes(std::string_view(text).substr(0, shown_bytes_max)));
    text += "...";
  }
  if (value.is_string()) return "the string " + text;
  return value.is_number() ? "the number " + text : text;
}

// "line 2, column 7" of the byte at `offset`.
std::string place_of(std::string_view json, std::size_t offset) {
  const std::string_view before = json.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n');
  const std::size_t column = start == std::string_view::npos ? before.size() + 1 : before.size() - start;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

// Where the first array or object begins that stands in over `depth_max` others. Before anything is made of
// the text: what is nested without bound would be taken apart by functions that call themselves for each
// level.
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
      if (++depth > depth_max) return i;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::nullopt;
}

// protobuf converts these by rules of their own.
bool is_well_known(const pb::Descriptor* type) {
  return type->file()->package() == "google.protobuf" &&
         type->well_known_type() != pb::Descriptor::WELLKNOWNTYPE_UNSPECIFIED;
}

// "a, b, c" or "a, b, ... (20 in all)".
std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < listed_names_max; ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  return names.size() <= listed_names_max ? text
                                          : text + ", ... (" + std::to_string(names.size()) + " in all)";
}

std::string suggestion(std::string_view name, const std::vector<std::string>& names,
                       const std::string& what) {
  if (names.empty()) return "; it has none";
  const std::string nearest = most_similar(name, names);
  return nearest.empty() ? "; it has the " + what + " " + listed(names)
                         : "; did you mean " + in_quotes(nearest) + "?";
}

const Field* field_named(const pb::Descriptor* type, const std::string& name) {
  if (const Field* field = type->FindFieldByName(name); field != nullptr) return field;
  if (const Field* field = type->FindFieldByCamelcaseName(name); field != nullptr) return field;
  for (int i = 0; i < type->field_count(); ++i) {
    if (type->field(i)->json_name() == name) return type->field(i);
  }
  return nullptr;
}

// What a value of the field looks like, for "takes ...".
std::string taken(const Field& field) {
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return "a whole number from -2147483648 to 2147483647";
    case Field::CPPTYPE_UINT32:
      return "a whole number from 0 to 4294967295";
    case Field::CPPTYPE_INT64:
      return "a whole number of 64 bits";
    case Field::CPPTYPE_UINT64:
      return "a whole number of 64 bits, not below 0";
    case Field::CPPTYPE_FLOAT:
    case Field::CPPTYPE_DOUBLE:
      return "a number";
    case Field::CPPTYPE_BOOL:
      return "true or false";
    case Field::CPPTYPE_STRING:
      return field.type() == Field::TYPE_BYTES ? "bytes as a base64 string" : "a string";
    case Field::CPPTYPE_ENUM:
      return "a value of " + field.enum_type()->full_name();
    case Field::CPPTYPE_MESSAGE:
      return "an object (" + field.message_type()->full_name() + ")";
  }
  return "another value";
}

template <class Integer>
bool parses_as(const std::string& text) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// Numbers may be written as strings, and whole ones as 1.0 or 1e3.
template <class Integer>
bool fits_integer(const Json& value) {
  if (value.is_string()) return parses_as<Integer>(value.get_ref<const std::string&>());
  if (value.is_number_float()) {
    const double number = value.get<double>();
    return std::trunc(number) == number &&
           number >= static_cast<double>(std::numeric_limits<Integer>::min()) &&
           number < std::ldexp(1.0, std::numeric_limits<Integer>::digits);
  }
  return value.is_number_integer() && parses_as<Integer>(value.dump());
}

bool fits_float(const Json& value) {
  if (!value.is_string()) return value.is_number();
  const std::string& text = value.get_ref<const std::string&>();
  return text == "NaN" || text == "Infinity" || text == "-Infinity" || parses_as<double>(text);
}

bool fits_bytes(const Json& value) {
  if (!value.is_string()) return false;
  std::string_view text = value.get_ref<const std::string&>();
  while (text.ends_with('=')) text.remove_suffix(1);
  return text.size() % 4 != 1 &&
         text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_") ==
             std::string_view::npos;
}

bool fits_bool(const Json& value) {
  return value.is_boolean() || (value.is_string() && (value == "true" || value == "false"));
}

bool fits_scalar(const Field& field, const Json& value) {
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return fits_integer<std::int32_t>(value);
    case Field::CPPTYPE_UINT32:
      return fits_integer<std::uint32_t>(value);
    case Field::CPPTYPE_INT64:
      return fits_integer<std::int64_t>(value);
    case Field::CPPTYPE_UINT64:
      return fits_integer<std::uint64_t>(value);
    case Field::CPPTYPE_FLOAT:
    case Field::CPPTYPE_DOUBLE:
      return fits_float(value);
    case Field::CPPTYPE_BOOL:
      return fits_bool(value);
    case Field::CPPTYPE_STRING:
      return field.type() == Field::TYPE_BYTES ? fits_bytes(value) : value.is_string();
    default:
      return true;
  }
}

class Checker {
 public:
  // `value` is nested at most depth_max levels deep, so this ends.
  Status message(const pb::Descriptor* type, const Json& value, const std::string& path) {
    if (is_well_known(type)) return Status();
    if (!value.is_object()) {
      return wrong((path.empty() ? type->full_name() : "field " + in_quotes(path)) +
                   " takes an object, such as {" +
                   (type->field_count() == 0 ? "" : "\"" + type->field(0)->name() + "\": ...") +
                   "}, but got " + described(value));
    }
    std::map<const pb::OneofDescriptor*, const Field*> chosen;
    std::map<const Field*, std::string> given;
    for (const auto& [key, member] : value.items()) {
      const std::string here = path.empty() ? key : path + "." + key;
      const Field* const field = field_named(type, key);
      if (field == nullptr) return unknown_field(type, key, path);
      if (const auto [other, first] = given.emplace(field, key); !first) {
        return wrong("field " + in_quotes(field->name()) + " of " + type->full_name() +
                     " is given twice, as " + in_quotes(other->second) + " and " + in_quotes(key));
      }
      if (member.is_null()) continue;
      if (const pb::OneofDescriptor* oneof = field->real_containing_oneof(); oneof != nullptr) {
        if (const auto [other, first] = chosen.emplace(oneof, field); !first) {
          return wrong("fields " + in_quotes(other->second->name()) + " and " + in_quotes(field->name()) +
                       " of " + type->full_name() + " exclude each other (oneof " + oneof->name() +
                       "); give one");
        }
      }
      if (Status status = field_value(*field, member, here); !status.ok()) return status;
    }
    return Status();
  }

 private:
  static Status unknown_field(const pb::Descriptor* type, const std::string& name, const std::string& path) {
    std::vector<std::string> names;
    for (int i = 0; i < type->field_count(); ++i) names.push_back(type->field(i)->name());
    return wrong(type->full_name() + (path.empty() ? "" : " (at " + in_quotes(path) + ")") +
                 " has no field " + in_quotes(name) + suggestion(name, names, "fields"));
  }

  Status field_value(const Field& field, const Json& value, const std::string& path) {
    if (field.is_map()) return map_value(field, value, path);
    if (!field.is_repeated()) return single_value(field, value, path);
    if (!value.is_array())
      return wrong_type(field, path, "an array [...], each of it " + taken(field), value);
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string here = path + "[" + std::to_string(i) + "]";
      if (Status status = single_value(field, value[i], here); !status.ok()) return status;
    }
    return Status();
  }

  Status map_value(const Field& field, const Json& value, const std::string& path) {
    const Field& key_field = *field.message_type()->map_key();
    const Field& value_field = *field.message_type()->map_value();
    if (!value.is_object()) return wrong_type(field, path, "an object {\"key\": value, ...}", value);
    for (const auto& [key, member] : value.items()) {
      const std::string here = path + "[\"" + key + "\"]";
      if (!fits_scalar(key_field, Json(key))) {
        return wrong_type(field, here, "keys that are " + taken(key_field) + " in quotes", Json(key));
      }
      if (Status status = single_value(value_field, member, here); !status.ok()) return status;
    }
    return Status();
  }

  Status single_value(const Field& field, const Json& value, const std::string& path) {
    if (field.cpp_type() == Field::CPPTYPE_MESSAGE) return message(field.message_type(), value, path);
    if (field.cpp_type() == Field::CPPTYPE_ENUM) return enum_value(field, value, path);
    return fits_scalar(field, value) ? Status() : wrong_type(field, path, taken(field), value);
  }

  Status enum_value(const Field& field, const Json& value, const std::string& path) {
    const pb::EnumDescriptor& type = *field.enum_type();
    if (type.full_name() == "google.protobuf.NullValue" || fits_integer<std::int32_t>(value)) return Status();
    std::vector<std::string> names;
    for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
    if (!value.is_string()) return wrong_type(field, path, "one of " + listed(names), value);
    const std::string& name = value.get_ref<const std::string&>();
    if (type.FindValueByName(name) != nullptr) return Status();
    return wrong("field " + in_quotes(path) + ": " + type.full_name() + " has no value " + in_quotes(name) +
                 suggestion(name, names, "values"));
  }

  static Status wrong_type(const Field& field, const std::string& path, const std::string& takes,
                           const Json& value) {
    const pb::Descriptor* type = field.containing_type();
    if (type->options().map_entry()) type = type->containing_type();
    return wrong("field " + in_quotes(path) + " of " + type->full_name() + " takes " + takes + ", but got " +
                 described(value));
  }
};

// Sees the names as they are parsed, since the value that comes of it has each name once.
class RepeatedName {
 public:
  bool operator()(int /*depth*/, Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::object_start) objects_.emplace_back();
    if (event == Json::parse_event_t::object_end) objects_.pop_back();
    if (event != Json::parse_event_t::key || name_) return true;
    if (!objects_.back().insert(parsed.get<std::string>()).second) name_ = parsed.get<std::string>();
    return true;
  }
  // The first one that stands twice in one object.
  [[nodiscard]] const std::optional<std::string>& name() const noexcept { return name_; }

 private:
  std::vector<std::set<std::string>> objects_;
  std::optional<std::string> name_;
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

Status not_utf8(const pb::Descriptor* type, std::string_view json, std::size_t offset) {
  const std::string marked = std::string(json.substr(0, offset)) + std::string(bad_byte_mark) +
                             utf8_repaired(json.substr(offset + 1));
  const Json value = Json::parse(marked, nullptr, false);
  const std::optional<std::string> path =
      value.is_discarded() ? std::nullopt : find_mark(value, bad_byte_mark, "");
  static constexpr std::string_view digits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(json[offset]);
  return wrong((path ? "field " + in_quotes(*path) + " of " + type->full_name() : "the JSON") +
               " is not UTF-8: byte 0x" + digits[byte >> 4] + digits[byte & 0xf] + " at " +
               place_of(json, offset) +
               "; convert the text (iconv -t UTF-8), or send it in a field of type bytes");
}

// nlohmann says "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error while
// parsing object - unexpected end of input; expected '}'"; the part behind the place is what helps.
Status malformed(std::string_view json, const Json::parse_error& error) {
  std::string_view reason = error.what();
  if (const std::size_t at = reason.find(": "); at != std::string_view::npos) reason.remove_prefix(at + 2);
  const std::size_t offset = error.byte == 0 ? 0 : std::min(error.byte - 1, json.size());
  return wrong("malformed JSON at " + place_of(json, offset) + ": " + std::string(reason));
}

}  // namespace

Status check_json(const pb::Descriptor* type, std::string_view json) {
  if (json.starts_with("\xef\xbb\xbf")) {
    return wrong(
        "the JSON begins with a byte order mark (the bytes EF BB BF), which JSON has not; save it as UTF-8 "
        "without one");
  }
  if (json.starts_with("\xff\xfe") || json.starts_with("\xfe\xff"))
    return wrong("the JSON is UTF-16, says its byte order mark; convert it with: iconv -f UTF-16 -t UTF-8");
  if (json.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return wrong("the JSON for " + type->full_name() + " is empty; an empty message is written {}");
  }
  if (const auto offset = too_deep_at(json)) {
    return wrong("the JSON for " + type->full_name() + " is nested over " + std::to_string(depth_max) +
                 " levels deep at " + place_of(json, *offset));
  }
  if (const std::size_t valid = utf8_valid_bytes(json); valid != json.size())
    return not_utf8(type, json, valid);
  try {
    RepeatedName repeated;
    const Json value = Json::parse(json, std::ref(repeated));
    if (const auto& name = repeated.name())
      return wrong("the JSON has the name " + in_quotes(*name) + " twice in one object; give it once");
    return Checker().message(type, value, "");
  } catch (const Json::parse_error& error) {
    return malformed(json, error);
  } catch (const Json::exception& error) {  // a number out of the range of double
    return wrong(std::string("malformed JSON: ") + error.what());
  }
}

}  // namespace cobus
