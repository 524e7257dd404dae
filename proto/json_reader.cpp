// SPDX-License-Identifier: Apache-2.0
#include "proto/json_reader.hpp"

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "proto/deterministic.hpp"
#include "proto/json_path.hpp"
#include "proto/json_scalar.hpp"
#include "proto/json_text.hpp"
#include "proto/similar.hpp"
#include "proto/well_known.hpp"

namespace cobus {
namespace {

namespace pb = google::protobuf;
using Json = nlohmann::json;
using Field = pb::FieldDescriptor;
using Type = pb::Descriptor;

constexpr std::size_t listed_names_max = 12;
constexpr const char* null_value_name = "google.protobuf.NullValue";

Status wrong(std::string message) { return Status(Code::invalid_argument, std::move(message)); }

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

// "[package.extension]" names an extension of a proto2 message.
const Field* field_named(const Type* type, const std::string& name) {
  if (const Field* field = type->FindFieldByName(name); field != nullptr) return field;
  if (const Field* field = type->FindFieldByCamelcaseName(name); field != nullptr) return field;
  for (int i = 0; i < type->field_count(); ++i) {
    if (type->field(i)->json_name() == name) return type->field(i);
  }
  if (type->extension_range_count() == 0 || !name.starts_with('[') || !name.ends_with(']')) return nullptr;
  const Field* const extension = type->file()->pool()->FindExtensionByName(name.substr(1, name.size() - 2));
  return extension != nullptr && extension->containing_type() == type ? extension : nullptr;
}

bool is_value(const Field& field) {
  return field.message_type() != nullptr &&
         field.message_type()->well_known_type() == Type::WELLKNOWNTYPE_VALUE;
}
bool is_null_value(const Field& field) {
  return field.enum_type() != nullptr && field.enum_type()->full_name() == null_value_name;
}

Status wrong_type(const Field& field, const JsonPath& path, const std::string& takes, const Json& value) {
  const Type* type = field.containing_type();
  if (type->options().map_entry()) type = type->containing_type();
  return wrong("field " + in_quotes(path.text()) + " of " + type->full_name() + " takes " + takes +
               ", but got " + described(value));
}

// Orders keys of a map as protobuf does when it serialises deterministically.
using MapKey = std::tuple<std::int64_t, std::uint64_t, std::string>;

MapKey key_of(const pb::Message& entry, const Field& field) {
  const pb::Reflection& r = *entry.GetReflection();
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return {r.GetInt32(entry, &field), 0, ""};
    case Field::CPPTYPE_INT64:
      return {r.GetInt64(entry, &field), 0, ""};
    case Field::CPPTYPE_UINT32:
      return {0, r.GetUInt32(entry, &field), ""};
    case Field::CPPTYPE_UINT64:
      return {0, r.GetUInt64(entry, &field), ""};
    case Field::CPPTYPE_BOOL:
      return {r.GetBool(entry, &field) ? 1 : 0, 0, ""};
    default:
      return {0, 0, r.GetString(entry, &field)};
  }
}

class Reader {
 public:
  // `root`: full name of the type that the whole JSON stands for.
  Reader(const NewMessage& new_message, const std::string& root) : new_message_(new_message), root_(root) {}

  Status message(const Json& value, pb::Message& into, const JsonPath& path) {
    const Type* const type = into.GetDescriptor();
    if (path.levels() > message_depth_max) {
      return wrong("field " + in_quotes(path.text()) + " is nested over " +
                   std::to_string(message_depth_max) + " messages deep, which no receiver takes");
    }
    if (type->well_known_type() != Type::WELLKNOWNTYPE_UNSPECIFIED) return well_known(value, into, path);
    if (!value.is_object()) {
      return wrong((path.is_root() ? type->full_name() : "field " + in_quotes(path.text())) +
                   " takes an object, such as {" +
                   (type->field_count() == 0 ? "" : "\"" + type->field(0)->name() + "\": ...") +
                   "}, but got " + described(value));
    }
    return members(value, into, path, false);
  }

 private:
  // `in_any`: "@type" is no field.
  Status members(const Json& value, pb::Message& into, const JsonPath& path, bool in_any) {
    const Type* const type = into.GetDescriptor();
    std::map<const pb::OneofDescriptor*, const Field*> chosen;
    std::map<const Field*, std::string> given;
    for (const auto& [key, member] : value.items()) {
      if (in_any && key == "@type") continue;
      const Field* const field = field_named(type, key);
      if (field == nullptr) return unknown_field(type, key, path);
      if (const auto [other, first] = given.emplace(field, key); !first) {
        return wrong("field " + in_quotes(field->name()) + " of " + type->full_name() +
                     " is given twice, as " + in_quotes(other->second) + " and " + in_quotes(key));
      }
      const bool null_counts = !field->is_repeated() && (is_value(*field) || is_null_value(*field));
      if (member.is_null() && !null_counts) continue;
      if (const pb::OneofDescriptor* oneof = field->real_containing_oneof(); oneof != nullptr) {
        if (const auto [other, first] = chosen.emplace(oneof, field); !first) {
          return wrong("fields " + in_quotes(other->second->name()) + " and " + in_quotes(field->name()) +
                       " of " + type->full_name() + " exclude each other (oneof " + oneof->name() +
                       "); give one");
        }
      }
      if (Status status = field_value(*field, member, into, path.field(key)); !status.ok()) return status;
    }
    return Status();
  }

  static Status unknown_field(const Type* type, const std::string& name, const JsonPath& path) {
    std::vector<std::string> names;
    for (int i = 0; i < type->field_count(); ++i) names.push_back(type->field(i)->name());
    return wrong(type->full_name() + (path.is_root() ? "" : " (at " + in_quotes(path.text()) + ")") +
                 " has no field " + in_quotes(name) + suggestion(name, names, "fields"));
  }

  Status field_value(const Field& field, const Json& value, pb::Message& into, const JsonPath& path) {
    if (field.is_map()) return map_value(field, value, into, path);
    if (!field.is_repeated()) return single_value(field, value, into, path);
    if (!value.is_array())
      return wrong_type(field, path, "an array [...], each of it " + taken_by(field), value);
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (Status status = single_value(field, value[i], into, path.element(i)); !status.ok()) return status;
    }
    return Status();
  }

  // Adds the entries in the order of their keys, so that equal maps become equal bytes.
  Status map_value(const Field& field, const Json& value, pb::Message& into, const JsonPath& path) {
    const Field& key_field = *field.message_type()->map_key();
    const Field& value_field = *field.message_type()->map_value();
    if (!value.is_object()) return wrong_type(field, path, "an object {\"key\": value, ...}", value);
    std::map<MapKey, Json::const_iterator> sorted;
    const pb::Reflection& r = *into.GetReflection();
    const std::unique_ptr<pb::Message> scratch(
        r.GetMessageFactory()->GetPrototype(field.message_type())->New());
    for (auto it = value.begin(); it != value.end(); ++it) {
      if (!store_scalar(key_field, Json(it.key()), *scratch)) {
        return wrong_type(field, path.entry(it.key()), "keys that are " + taken_by(key_field) + " in quotes",
                          Json(it.key()));
      }
      if (const auto [other, first] = sorted.emplace(key_of(*scratch, key_field), it); !first) {
        return wrong("field " + in_quotes(path.text()) + " has the keys " + in_quotes(other->second.key()) +
                     " and " + in_quotes(it.key()) + ", which are the same " + key_field.type_name() +
                     "; give one");
      }
    }
    for (const auto& [key, it] : sorted) {
      const JsonPath here = path.entry(it.key()).deeper();
      pb::Message* const entry = r.AddMessage(&into, &field);
      static_cast<void>(store_scalar(key_field, Json(it.key()), *entry));
      if (Status status = single_value(value_field, it.value(), *entry, here); !status.ok()) return status;
    }
    return Status();
  }

  Status single_value(const Field& field, const Json& value, pb::Message& into, const JsonPath& path) {
    if (field.cpp_type() == Field::CPPTYPE_ENUM) return enum_value(field, value, into, path);
    if (field.cpp_type() != Field::CPPTYPE_MESSAGE)
      return store_scalar(field, value, into) ? Status() : wrong_type(field, path, taken_by(field), value);
    const pb::Reflection& r = *into.GetReflection();
    pb::Message* const member =
        field.is_repeated() ? r.AddMessage(&into, &field) : r.MutableMessage(&into, &field);
    return message(value, *member, path.deeper());
  }

  Status enum_value(const Field& field, const Json& value, pb::Message& into, const JsonPath& path) {
    const pb::EnumDescriptor& type = *field.enum_type();
    const pb::Reflection& r = *into.GetReflection();
    const auto store = [&](int number) {
      field.is_repeated() ? r.AddEnumValue(&into, &field, number) : r.SetEnumValue(&into, &field, number);
      return Status();
    };
    if (is_null_value(field) && value.is_null()) return store(0);
    const bool closed = type.file()->syntax() == pb::FileDescriptor::SYNTAX_PROTO2;
    std::string name = value.is_string() ? value.get<std::string>() : std::string();
    if (const auto* known = type.FindValueByName(name); known != nullptr) return store(known->number());
    if (int number = 0; read_enum_number(value, number)) {
      if (!closed || type.FindValueByNumber(number) != nullptr) return store(number);
      name = std::to_string(number);
    } else if (!value.is_string()) {
      return wrong_type(field, path, "one of " + listed(names_of(type)), value);
    }
    return wrong("field " + in_quotes(path.text()) + ": " + type.full_name() + " has no value " +
                 in_quotes(name) + suggestion(name, names_of(type), "values"));
  }

  static std::vector<std::string> names_of(const pb::EnumDescriptor& type) {
    std::vector<std::string> names;
    for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
    return names;
  }

  Status wrong_known(const pb::Message& into, const JsonPath& path, const std::string& takes,
                     const Json& value) const {
    return wrong(root_ + (path.is_root() ? "" : ": field " + in_quotes(path.text())) + " takes " + takes +
                 " (" + into.GetDescriptor()->full_name() + "), but got " + described(value));
  }

  Status well_known(const Json& value, pb::Message& into, const JsonPath& path) {
    const Type* const type = into.GetDescriptor();
    switch (type->well_known_type()) {
      case Type::WELLKNOWNTYPE_TIMESTAMP:
        return seconds(value, into, path, &parse_timestamp,
                       "a time such as \"2020-01-02T03:04:05.678Z\", of the years 0001 to 9999");
      case Type::WELLKNOWNTYPE_DURATION:
        return seconds(value, into, path, &parse_duration,
                       "seconds such as \"1.5s\", 315576000000 at most, with up to nine decimals");
      case Type::WELLKNOWNTYPE_FIELDMASK:
        return field_mask(value, into, path);
      case Type::WELLKNOWNTYPE_ANY:
        return any(value, into, path);
      case Type::WELLKNOWNTYPE_STRUCT:
        return field_value(*type->FindFieldByNumber(1), value, into, path);
      case Type::WELLKNOWNTYPE_LISTVALUE:
        return field_value(*type->FindFieldByNumber(1), value, into, path);
      case Type::WELLKNOWNTYPE_VALUE:
        return free_value(value, into, path);
      default:  // a wrapper
        return single_value(*type->FindFieldByNumber(1), value, into, path);
    }
  }

  Status seconds(const Json& value, pb::Message& into, const JsonPath& path,
                 std::optional<SecondsAndNanos> (*parse)(std::string_view), const std::string& takes) {
    const auto read =
        value.is_string() ? parse(value.get_ref<const std::string&>()) : std::optional<SecondsAndNanos>();
    if (!read) return wrong_known(into, path, takes, value);
    const Type* const type = into.GetDescriptor();
    into.GetReflection()->SetInt64(&into, type->FindFieldByNumber(1), read->seconds);
    into.GetReflection()->SetInt32(&into, type->FindFieldByNumber(2), read->nanos);
    return Status();
  }

  Status field_mask(const Json& value, pb::Message& into, const JsonPath& path) {
    const std::string takes =
        "names of fields in lowerCamelCase with commas in between, as in \"user.firstName,size\"";
    if (!value.is_string()) return wrong_known(into, path, takes, value);
    std::string_view rest = value.get_ref<const std::string&>();
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      const auto read = parse_mask_path(rest.substr(0, comma));
      if (!read || comma + 1 == rest.size()) return wrong_known(into, path, takes, value);
      into.GetReflection()->AddString(&into, into.GetDescriptor()->FindFieldByNumber(1), *read);
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    return Status();
  }

  Status free_value(const Json& value, pb::Message& into, const JsonPath& path) {
    if (!held_by_double(value)) {
      return wrong_known(into, path, "numbers that a double holds exactly (write larger ones as strings)",
                         value);
    }
    const int number = value.is_null()      ? 1
                       : value.is_string()  ? 3
                       : value.is_boolean() ? 4
                       : value.is_object()  ? 5
                       : value.is_array()   ? 6
                                            : 2;
    return single_value(*into.GetDescriptor()->FindFieldByNumber(number), value, into, path);
  }

  Status any(const Json& value, pb::Message& into, const JsonPath& path) {
    if (value.is_object() && value.empty()) return Status();
    const auto url = value.is_object() ? value.find("@type") : value.end();
    if (url == value.end() || !url->is_string()) {
      return wrong_known(into, path, "an object with \"@type\": \"type.googleapis.com/package.Message\"",
                         value);
    }
    const std::string& type = url->get_ref<const std::string&>();
    const std::string name = type.substr(type.rfind('/') + 1);
    const std::unique_ptr<pb::Message> held =
        type.find('/') == std::string::npos ? nullptr : new_message_(name);
    if (!held) {
      return wrong("field " + in_quotes(path.field("@type").text()) + ": no message " + in_quotes(type) +
                   " is known; it is written type.googleapis.com/package.Message")
          .with(unknown_type_detail, name);
    }
    const JsonPath inside = path;  // the levels of what an Any holds are parsed by themselves
    const bool by_itself = held->GetDescriptor()->well_known_type() != Type::WELLKNOWNTYPE_UNSPECIFIED;
    const auto member = value.find("value");
    Status status;
    if (by_itself) {
      if (member == value.end() || value.size() != 2)
        return wrong_known(into, path, "for " + name + " \"@type\" and \"value\"", value);
      status = message(*member, *held, inside.field("value"));
    } else {
      status = members(value, *held, inside, true);
    }
    if (status.ok()) status = initialized(*held, path);
    if (!status.ok()) return status;
    into.GetReflection()->SetString(&into, into.GetDescriptor()->FindFieldByNumber(1), type);
    into.GetReflection()->SetString(&into, into.GetDescriptor()->FindFieldByNumber(2),
                                    deterministic_bytes(*held));
    return Status();
  }

 public:
  // Whether no required field is missing.
  static Status initialized(const pb::Message& message, const JsonPath& path) {
    if (message.IsInitialized()) return Status();
    std::vector<std::string> missing;
    message.FindInitializationErrors(&missing);
    const std::string before = path.text();
    return wrong("field " + in_quotes((before.empty() ? "" : before + ".") + missing.front()) + " of " +
                 message.GetDescriptor()->full_name() + " is required and is missing");
  }

 private:
  const NewMessage& new_message_;
  const std::string& root_;
};

}  // namespace

Status read_json(std::string_view json, const NewMessage& new_message, pb::Message& into) {
  const Result<Json> value = parse_json(into.GetDescriptor()->full_name(), json);
  if (!value) return value.error();
  Status status = Reader(new_message, into.GetDescriptor()->full_name()).message(*value, into, JsonPath());
  return status.ok() ? Reader::initialized(into, JsonPath()) : status;
}

}  // namespace cobus
