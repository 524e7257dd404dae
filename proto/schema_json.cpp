// SPDX-License-Identifier: Apache-2.0
//
// SchemaPool's JSON: to bytes and back by reflection, without the secrets if asked for.
#include <google/protobuf/util/json_util.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include <cobus/v1/options.pb.h>
#include "proto/json_check.hpp"
#include "proto/schema.hpp"

namespace cobus {
namespace {

namespace pb = google::protobuf;
using Json = nlohmann::ordered_json;
using Types = std::set<const pb::Descriptor*>;

constexpr const char* redacted = "***";
constexpr const char* any_name = "google.protobuf.Any";

// Whether JSON of `type` may hold a secret at any depth. An Any may hold anything.
bool may_hold_secret(const pb::Descriptor* type, Types& seen) {
  if (!seen.insert(type).second) return false;
  if (type->full_name() == any_name) return true;
  for (int i = 0; i < type->field_count(); ++i) {
    const pb::FieldDescriptor* const field = type->field(i);
    if (field->options().GetExtension(v1::secret)) return true;
    if (field->message_type() != nullptr && may_hold_secret(field->message_type(), seen)) return true;
  }
  return false;
}

class Redactor {
 public:
  explicit Redactor(const pb::DescriptorPool& pool) : pool_(pool) {}

  void redact(const pb::Descriptor* type, Json& value) const {
    if (!value.is_object()) return;
    if (type->full_name() == any_name) {
      redact_any(value);
      return;
    }
    for (auto& [key, member] : value.items()) {
      const pb::FieldDescriptor* const field = type->FindFieldByName(key);
      if (field == nullptr) continue;
      if (field->options().GetExtension(v1::secret)) {
        member = redacted;
      } else if (field->is_map()) {
        redact_members(field->message_type()->map_value()->message_type(), member);
      } else if (field->is_repeated()) {
        redact_members(field->message_type(), member);
      } else if (field->message_type() != nullptr) {
        redact(field->message_type(), member);
      }
    }
  }

 private:
  void redact_members(const pb::Descriptor* type, Json& values) const {
    if (type == nullptr) return;
    for (Json& value : values) redact(type, value);
  }

  void redact_any(Json& value) const {
    const std::string url = value.value("@type", std::string());
    const pb::Descriptor* const type = pool_.FindMessageTypeByName(url.substr(url.rfind('/') + 1));
    if (type == nullptr) return;
    if (value.contains("value") && type->file()->package() == "google.protobuf") {
      redact(type, value["value"]);
    } else {
      redact(type, value);
    }
  }

  const pb::DescriptorPool& pool_;
};

// protobuf's errors come as "(place): reason", place and reason often empty.
std::string reason_of(const pb::util::Status& status) { return std::string(status.message()); }

}  // namespace

Result<std::string> SchemaPool::json_to_bytes(const pb::Descriptor* type, std::string_view json) const {
  if (Status status = check_json(type, json); !status.ok()) return fail(std::move(status));
  const std::unique_ptr<pb::Message> message(factory_.GetPrototype(type)->New());
  const auto status = pb::util::JsonStringToMessage({json.data(), json.size()}, message.get());
  if (!status.ok()) return fail(Code::invalid_argument, type->full_name() + ": " + reason_of(status));
  return message->SerializePartialAsString();
}

Result<std::string> SchemaPool::bytes_to_json(const pb::Descriptor* type, std::string_view bytes,
                                              JsonStyle style) const {
  const std::unique_ptr<pb::Message> message(factory_.GetPrototype(type)->New());
  if (!message->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Code::invalid_argument, std::to_string(bytes.size()) + " bytes that are no " +
                                            type->full_name() +
                                            "; sender and reader may have different versions of its schema");
  }
  pb::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (const auto status = pb::util::MessageToJsonString(*message, &json, options); !status.ok()) {
    return fail(Code::invalid_argument,
                type->full_name() + " cannot be written as JSON: " + reason_of(status));
  }
  Types seen;
  const bool redact = style.redact_secrets && may_hold_secret(type, seen);
  if (!redact && !style.pretty) return json;
  Json value = Json::parse(json, nullptr, false);
  if (value.is_discarded()) {
    return fail(Code::invalid_argument, type->full_name() + " holds text that is not UTF-8");
  }
  if (redact) Redactor(pool_).redact(type, value);
  return value.dump(style.pretty ? 2 : -1);
}

}  // namespace cobus
