// SPDX-License-Identifier: Apache-2.0
//
// SchemaPool's text for people: .proto text of what a service or message is, and an empty message to
// fill in.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <regex>

#include "proto/schema.hpp"

namespace cobus {
namespace {

namespace pb = google::protobuf;
using Json = nlohmann::ordered_json;
using Field = pb::FieldDescriptor;

// As protoc makes it: "byte_count" is "byteCount".
std::string json_name_of(const std::string& name) {
  std::string out;
  bool up = false;
  for (const char c : name) {
    if (c != '_') out += up ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    up = c == '_';
  }
  return out;
}

// protobuf prints types as ".text.Line"; a reader wants "Line", or "other.Line" of another package.
// Quoted text is left as it is.
std::string without_package(const std::string& text, const std::string& package) {
  const std::string own = package.empty() ? "" : package + ".";
  std::string result;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == '\\') result += text[i++];
      if (text[i] == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '.' && i > 0 && std::string_view(" (<,").contains(text[i - 1])) {
      if (text.compare(i + 1, own.size(), own) == 0) i += own.size();
      continue;
    }
    result += text[i];
  }
  return result;
}

// The types that something uses, each with its outermost message, in the order of first use.
class Used {
 public:
  void add(const pb::Descriptor* message) {
    while (message->containing_type() != nullptr) message = message->containing_type();
    if (message->file()->package() == "google.protobuf" || !add_text(message)) return;
    add_fields(message);
  }
  // In the style of one .proto; what is of another package than `package` says so.
  [[nodiscard]] std::string text(const std::string& package) const {
    std::string result;
    for (const auto& [name, type] : types_) {
      const std::string& its_package = type.file->package();
      result += "\n" + (its_package == package ? "" : "// package " + its_package + "\n");
      result += without_package(type.text, package);
    }
    return result;
  }

 private:
  struct Type {
    const pb::FileDescriptor* file;
    std::string text;
  };

  template <class Descriptor>
  bool add_text(const Descriptor* type) {
    for (const auto& [name, known] : types_) {
      if (name == type->full_name()) return false;
    }
    types_.emplace_back(type->full_name(), Type{type->file(), type->DebugString()});
    return true;
  }
  void add(const pb::EnumDescriptor* type) {
    if (type->containing_type() != nullptr) {
      add(type->containing_type());
    } else if (type->file()->package() != "google.protobuf") {
      add_text(type);
    }
  }
  void add_fields(const pb::Descriptor* message) {
    for (int i = 0; i < message->field_count(); ++i) {
      if (message->field(i)->message_type() != nullptr) add(message->field(i)->message_type());
      if (message->field(i)->enum_type() != nullptr) add(message->field(i)->enum_type());
    }
    for (int i = 0; i < message->nested_type_count(); ++i) add_fields(message->nested_type(i));
  }

  std::vector<std::pair<std::string, Type>> types_;
};

// protobuf writes `json_name` also where it is the name that it would have anyhow.
std::string without_default_json_names(const std::string& text) {
  static const std::regex option(R"re((\w+) = (\d+) \[json_name = "(\w*)"(?:, |(\])))re");
  std::string result;
  auto from = text.cbegin();
  for (std::sregex_iterator it(text.begin(), text.end(), option), end; it != end; ++it) {
    const std::smatch& match = *it;
    result.append(from, match[0].first);
    from = match[0].second;
    if (json_name_of(match[1].str()) != match[3].str()) {
      result += match[0].str();
    } else {
      result += match[1].str() + " = " + match[2].str() + (match[4].matched ? "" : " [");
    }
  }
  return result.append(from, text.cend());
}

// A whole file with this text in it: its syntax, its package, and what it imports.
std::string as_file(const pb::FileDescriptor* file, const std::string& text) {
  std::string out = file->syntax() == pb::FileDescriptor::SYNTAX_PROTO2 ? "syntax = \"proto2\";\n"
                                                                        : "syntax = \"proto3\";\n";
  if (!file->package().empty()) out += "package " + file->package() + ";\n";
  std::string imports;
  if (text.find("(cobus.v1.") != std::string::npos) imports += "import \"cobus/v1/options.proto\";\n";
  for (int i = 0; i < file->dependency_count(); ++i) {
    const pb::FileDescriptor* const other = file->dependency(i);
    if (other->package() == "google.protobuf" && text.find("google.protobuf.") != std::string::npos)
      imports += "import \"" + other->name() + "\";\n";
  }
  if (!imports.empty()) out += "\n" + imports;
  return out + "\n" + without_default_json_names(text);
}

Json sample(const Field& field, int levels);

// What an untouched message of a well-known type looks like in JSON.
Json well_known_sample(const pb::Descriptor* type) {
  switch (type->well_known_type()) {
    case pb::Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return "1970-01-01T00:00:00Z";
    case pb::Descriptor::WELLKNOWNTYPE_DURATION:
      return "0s";
    case pb::Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return "";
    case pb::Descriptor::WELLKNOWNTYPE_VALUE:
      return nullptr;
    case pb::Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return Json::array();
    case pb::Descriptor::WELLKNOWNTYPE_ANY:
    case pb::Descriptor::WELLKNOWNTYPE_STRUCT:
      return Json::object();
    default:
      return sample(*type->field(0), 0);  // a wrapper
  }
}

Json message_sample(const pb::Descriptor* type, int levels) {
  if (type->well_known_type() != pb::Descriptor::WELLKNOWNTYPE_UNSPECIFIED) return well_known_sample(type);
  Json object = Json::object();
  for (int i = 0; levels >= 0 && i < type->field_count(); ++i) {
    const Field& field = *type->field(i);
    const pb::OneofDescriptor* const oneof = field.real_containing_oneof();
    if (oneof != nullptr && oneof->field(0) != &field) continue;
    if (field.is_map()) {
      const std::string key = sample(*field.message_type()->map_key(), 0).dump();
      const bool is_quoted = key.starts_with('"');
      object[field.name()] = {{is_quoted ? key.substr(1, key.size() - 2) : key,
                               sample(*field.message_type()->map_value(), levels - 1)}};
    } else if (field.is_repeated()) {
      object[field.name()] = Json::array({sample(field, levels - 1)});
    } else {
      object[field.name()] = sample(field, levels - 1);
    }
  }
  return object;
}

// One value of the field, repeated or not.
Json sample(const Field& field, int levels) {
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT64:
    case Field::CPPTYPE_UINT64:
      return "0";
    case Field::CPPTYPE_INT32:
    case Field::CPPTYPE_UINT32:
      return 0;
    case Field::CPPTYPE_FLOAT:
    case Field::CPPTYPE_DOUBLE:
      return 0.0;
    case Field::CPPTYPE_BOOL:
      return false;
    case Field::CPPTYPE_STRING:
      return "";
    case Field::CPPTYPE_ENUM:
      return field.enum_type()->value(0)->name();
    case Field::CPPTYPE_MESSAGE:
      return message_sample(field.message_type(), levels);
  }
  return nullptr;
}

}  // namespace

std::string SchemaPool::template_json(const pb::Descriptor* type) { return message_sample(type, 1).dump(2); }

std::string SchemaPool::proto_text(const pb::ServiceDescriptor* service) {
  const std::string& package = service->file()->package();
  Used used;
  for (int i = 0; i < service->method_count(); ++i) {
    used.add(service->method(i)->input_type());
    used.add(service->method(i)->output_type());
  }
  return as_file(service->file(), without_package(service->DebugString(), package) + used.text(package));
}

std::string SchemaPool::proto_text(const pb::MethodDescriptor* method) {
  const std::string& package = method->file()->package();
  Used used;
  used.add(method->input_type());
  used.add(method->output_type());
  std::string text = method->DebugString();
  text.erase(0, text.find_first_not_of(' '));
  return as_file(method->file(), "service " + method->service()->name() +
                                     " {\n  // only this method of it\n  " + without_package(text, package) +
                                     "}\n" + used.text(package));
}

std::string SchemaPool::proto_text(const pb::Descriptor* message) {
  const std::string& package = message->file()->package();
  Used used;
  used.add(message);
  std::string text = used.text(package);
  text.erase(0, text.find_first_not_of('\n'));
  return as_file(message->file(), text);
}

}  // namespace cobus
