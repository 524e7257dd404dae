// SPDX-License-Identifier: Apache-2.0
#include "proto/json_writer.hpp"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/coded_stream.h>

#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include <cobus/v1/options.pb.h>
#include "proto/json_text.hpp"
#include "proto/utf8.hpp"
#include "proto/well_known.hpp"

namespace cobus {
namespace {

namespace pb = google::protobuf;
using Json = JsonWriter::Json;
using Field = pb::FieldDescriptor;
using Type = pb::Descriptor;

constexpr const char* redacted = "***";
constexpr int parse_levels_max = 4 * json_depth_max;  // a level of JSON is up to three messages (Struct)

bool is_secret(const Field& field) { return field.options().GetExtension(v1::secret); }

// A whole number without ".0", as others write it.
Json double_value(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  const bool whole = std::trunc(value) == value && std::abs(value) < 9007199254740992.0;
  if (whole && !(value == 0 && std::signbit(value))) return static_cast<std::int64_t>(value);
  return value;
}

// With the digits that a float needs, not those of the double it converts to.
Json float_value(float value) {
  if (!std::isfinite(value)) return double_value(value);
  std::array<char, 64> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  double same = value;
  if (error == std::errc{}) std::from_chars(text.data(), end, same);
  return double_value(same);
}

Json enum_value(const pb::EnumDescriptor& type, int number) {
  if (type.full_name() == "google.protobuf.NullValue") return nullptr;
  const pb::EnumValueDescriptor* const known = type.FindValueByNumber(number);
  return known != nullptr ? Json(known->name()) : Json(number);
}

// Whether the field is shown though it is not set: those without presence, and optional ones of proto2.
bool shows_default(const Field& field) {
  return field.cpp_type() != Field::CPPTYPE_MESSAGE && field.containing_oneof() == nullptr &&
         !field.is_required();
}

void append(Json& object, std::string name, Json value) {
  // Not by operator[], which looks at all members.
  object.get_ref<Json::object_t&>().emplace_back(std::move(name), std::move(value));
}

}  // namespace

bool parse_leniently(std::string_view bytes, pb::Message& into) {
  pb::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                  static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(parse_levels_max);
  return into.ParsePartialFromCodedStream(&stream) && stream.ConsumedEntireMessage();
}

void JsonWriter::problem(const JsonPath& path, std::string reason, std::string unknown_type) {
  if (problems_.size() < problems_max)
    problems_.push_back({path.text(), std::move(reason), std::move(unknown_type)});
}

bool JsonWriter::fits(const JsonPath& path) {
  if (path.levels() < json_depth_max) return true;
  problem(path, "is nested over " + std::to_string(json_depth_max) + " levels deep");
  return false;
}

Json JsonWriter::write(const Message& message) { return message_value(message, JsonPath()); }

Json JsonWriter::message_value(const Message& message, const JsonPath& path) {
  if (message.GetDescriptor()->well_known_type() != Type::WELLKNOWNTYPE_UNSPECIFIED)
    return well_known(message, path);
  if (!fits(path)) return nullptr;
  Json object = Json::object();
  add_fields(message, path.deeper(), object);
  return object;
}

void JsonWriter::add_fields(const Message& message, const JsonPath& path, Json& object) {
  const Type& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) add_field(message, *type.field(i), path, object);
  if (type.extension_range_count() > 0) add_extensions(message, path, object);
}

void JsonWriter::add_field(const Message& message, const Field& field, const JsonPath& path, Json& object) {
  if (!field.is_repeated() && !message.GetReflection()->HasField(message, &field)) {
    if (field.is_required()) problem(path.field(field.name()), "is required and is missing");
    if (!shows_default(field)) return;
  }
  append(
      object, field.name(),
      redact_ && is_secret(field) ? Json(redacted) : field_value(message, field, path.field(field.name())));
}

void JsonWriter::add_extensions(const Message& message, const JsonPath& path, Json& object) {
  std::vector<const Field*> set;
  message.GetReflection()->ListFields(message, &set);
  for (const Field* field : set) {
    if (!field->is_extension()) continue;
    const std::string name = "[" + field->full_name() + "]";
    append(object, name,
           redact_ && is_secret(*field) ? Json(redacted) : field_value(message, *field, path.field(name)));
  }
}

Json JsonWriter::field_value(const Message& message, const Field& field, const JsonPath& path) {
  if (field.is_map()) return map_value(message, field, path);
  if (!field.is_repeated()) return single_value(message, field, -1, path);
  if (!fits(path)) return nullptr;
  Json array = Json::array();
  const JsonPath inside = path.deeper();
  const int size = message.GetReflection()->FieldSize(message, &field);
  for (int i = 0; i < size; ++i)
    array.push_back(single_value(message, field, i, inside.element(static_cast<std::size_t>(i))));
  return array;
}

Json JsonWriter::map_value(const Message& message, const Field& field, const JsonPath& path) {
  if (!fits(path)) return nullptr;
  const pb::Reflection& r = *message.GetReflection();
  const Field& key_field = *field.message_type()->map_key();
  const Field& value_field = *field.message_type()->map_value();
  const bool numbers = key_field.cpp_type() != Field::CPPTYPE_STRING;
  // Of several entries with one key the last counts. Numbers in their own order, the negative ones first.
  std::map<std::pair<long double, std::string>, const Message*> sorted;
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    const Message& entry = r.GetRepeatedMessage(message, &field, i);
    const Json key = single_value(entry, key_field, -1, path);
    std::string text = key.is_string() ? key.get<std::string>() : key.dump();
    const long double number = !numbers || key.is_boolean() ? 0 : std::strtold(text.c_str(), nullptr);
    sorted[{number, std::move(text)}] = &entry;
  }
  Json object = Json::object();
  const JsonPath inside = path.deeper();
  for (const auto& [key, entry] : sorted)
    append(object, key.second, single_value(*entry, value_field, -1, inside.entry(key.second)));
  return object;
}

Json JsonWriter::text_value(const std::string& text, const JsonPath& path) {
  if (utf8_valid_bytes(text) == text.size()) return text;
  problem(path, "is not UTF-8, which a string has to be; U+FFFD stands for the bytes that are not");
  return utf8_repaired(text);
}

Json JsonWriter::single_value(const Message& message, const Field& field, int index, const JsonPath& path) {
  const pb::Reflection& r = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return one ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index);
    case Field::CPPTYPE_UINT32:
      return one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index);
    case Field::CPPTYPE_INT64:
      return std::to_string(one ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, index));
    case Field::CPPTYPE_UINT64:
      return std::to_string(one ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, index));
    case Field::CPPTYPE_FLOAT:
      return float_value(one ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, index));
    case Field::CPPTYPE_DOUBLE:
      return double_value(one ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, index));
    case Field::CPPTYPE_BOOL:
      return one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index);
    case Field::CPPTYPE_ENUM:
      return enum_value(*field.enum_type(), one ? r.GetEnumValue(message, &field)
                                                : r.GetRepeatedEnumValue(message, &field, index));
    case Field::CPPTYPE_STRING: {
      std::string scratch;
      const std::string& text = one ? r.GetStringReference(message, &field, &scratch)
                                    : r.GetRepeatedStringReference(message, &field, index, &scratch);
      return field.type() == Field::TYPE_BYTES ? Json(base64_text(text)) : text_value(text, path);
    }
    case Field::CPPTYPE_MESSAGE:
      return message_value(one ? r.GetMessage(message, &field) : r.GetRepeatedMessage(message, &field, index),
                           path);
  }
  return nullptr;
}

Json JsonWriter::well_known(const Message& message, const JsonPath& path) {
  const Type& type = *message.GetDescriptor();
  const pb::Reflection& r = *message.GetReflection();
  const bool is_time = type.well_known_type() == Type::WELLKNOWNTYPE_TIMESTAMP;
  switch (type.well_known_type()) {
    case Type::WELLKNOWNTYPE_TIMESTAMP:
    case Type::WELLKNOWNTYPE_DURATION: {
      const SecondsAndNanos held{r.GetInt64(message, type.FindFieldByNumber(1)),
                                 r.GetInt32(message, type.FindFieldByNumber(2))};
      if (const auto text = is_time ? timestamp_text(held) : duration_text(held)) return *text;
      problem(path, (is_time ? "is a time outside of the years 0001 to 9999"
                             : "is a duration of over 315576000000 s, or of mixed signs") +
                        (" (seconds " + std::to_string(held.seconds)) + ", nanos " +
                        std::to_string(held.nanos) + ")");
      return {{"seconds", std::to_string(held.seconds)}, {"nanos", held.nanos}};
    }
    case Type::WELLKNOWNTYPE_FIELDMASK:
      return mask_value(message, path);
    case Type::WELLKNOWNTYPE_ANY:
      return any_value(message, path);
    case Type::WELLKNOWNTYPE_VALUE:
      return free_value(message, path);
    default:  // Struct, ListValue, a wrapper
      return field_value(message, *type.FindFieldByNumber(1), path);
  }
}

Json JsonWriter::mask_value(const Message& message, const JsonPath& path) {
  const Field* const paths = message.GetDescriptor()->FindFieldByNumber(1);
  const pb::Reflection& r = *message.GetReflection();
  std::string text;
  for (int i = 0; i < r.FieldSize(message, paths); ++i) {
    const std::string name = r.GetRepeatedString(message, paths, i);
    const auto written = mask_path_text(name);
    if (!written) problem(path, "has the path " + in_quotes(name) + ", which has no name in lowerCamelCase");
    text += (i == 0 ? "" : ",") + written.value_or(utf8_repaired(name));
  }
  return text;
}

Json JsonWriter::free_value(const Message& message, const JsonPath& path) {
  std::vector<const Field*> set;
  message.GetReflection()->ListFields(message, &set);
  if (set.empty()) {
    problem(path, "is a google.protobuf.Value that holds nothing, not even null");
    return nullptr;
  }
  const bool is_number = set.front()->cpp_type() == Field::CPPTYPE_DOUBLE;
  if (is_number && !std::isfinite(message.GetReflection()->GetDouble(message, set.front())))
    problem(path, "is a number that JSON has not (infinite, or not a number)");
  return single_value(message, *set.front(), -1, path);
}

Json JsonWriter::closed_any(const std::string& url, const std::string& bytes) const {
  Json shown = {{"@type", utf8_repaired(url)}};
  if (redact_) {
    shown["bytes"] = bytes.size();  // nobody knows what in it is secret
  } else {
    shown["value"] = base64_text(bytes);
  }
  return shown;
}

Json JsonWriter::any_value(const Message& message, const JsonPath& path) {
  const Type& type = *message.GetDescriptor();
  const std::string url = message.GetReflection()->GetString(message, type.FindFieldByNumber(1));
  const std::string bytes = message.GetReflection()->GetString(message, type.FindFieldByNumber(2));
  if (url.empty() && bytes.empty()) return Json::object();
  if (!fits(path)) return nullptr;
  const std::string name = url.substr(url.rfind('/') + 1);
  const std::unique_ptr<Message> held = new_message_(name);
  if (!held) {
    problem(path, "is an Any of the type " + in_quotes(utf8_repaired(url)) + ", which nobody here knows",
            utf8_repaired(name));
    return closed_any(url, bytes);
  }
  if (!parse_leniently(bytes, *held)) {
    problem(path, "is an Any whose " + std::to_string(bytes.size()) + " bytes are no " + name);
    return closed_any(url, bytes);
  }
  Json object = Json::object();
  append(object, "@type", url);
  const JsonPath inside = path.deeper();
  if (held->GetDescriptor()->well_known_type() != Type::WELLKNOWNTYPE_UNSPECIFIED) {
    append(object, "value", message_value(*held, inside.field("value")));
  } else {
    add_fields(*held, inside, object);
  }
  return object;
}

}  // namespace cobus
