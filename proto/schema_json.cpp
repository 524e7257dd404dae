// SPDX-License-Identifier: Apache-2.0
//
// SchemaPool's JSON: to bytes and back by reflection, without the secrets if asked for.
#include <memory>

#include "proto/deterministic.hpp"
#include "proto/json_reader.hpp"
#include "proto/json_writer.hpp"
#include "proto/schema.hpp"

namespace cobus {
namespace {

namespace pb = google::protobuf;

}  // namespace

std::unique_ptr<pb::Message> SchemaPool::new_message(const std::string& name) const {
  const pb::Descriptor* const type = pool_.FindMessageTypeByName(name);
  return std::unique_ptr<pb::Message>(type == nullptr ? nullptr : factory_.GetPrototype(type)->New());
}

Result<std::string> SchemaPool::json_to_bytes(const pb::Descriptor* type, std::string_view json) const {
  const std::unique_ptr<pb::Message> message(factory_.GetPrototype(type)->New());
  const NewMessage held = [this](const std::string& name) { return new_message(name); };
  if (Status status = read_json(json, held, *message); !status.ok()) return fail(std::move(status));
  return deterministic_bytes(*message);
}

Result<MessageJson> SchemaPool::message_json(const pb::Descriptor* type, std::string_view bytes,
                                             bool redact_secrets) const {
  const std::unique_ptr<pb::Message> message(factory_.GetPrototype(type)->New());
  if (!parse_leniently(bytes, *message)) {
    return fail(Code::invalid_argument, std::to_string(bytes.size()) + " bytes that are no " +
                                            type->full_name() +
                                            "; sender and reader may have different versions of its schema");
  }
  const NewMessage held = [this](const std::string& name) { return new_message(name); };
  JsonWriter writer(held, redact_secrets);
  MessageJson result;
  result.value = writer.write(*message);
  result.problems = writer.take_problems();
  return result;
}

Result<std::string> SchemaPool::bytes_to_json(const pb::Descriptor* type, std::string_view bytes,
                                              JsonStyle style) const {
  const Result<MessageJson> json = message_json(type, bytes, style.redact_secrets);
  if (!json) return fail(json.error());
  if (Status problem = json->status(type->full_name()); !problem.ok()) return fail(std::move(problem));
  return json->value.dump(style.pretty ? 2 : -1);
}

Status MessageJson::status(const std::string& what) const {
  if (problems.empty()) return Status();
  const JsonProblem& first = problems.front();
  const std::string more =
      problems.size() == 1 ? "" : " (and " + std::to_string(problems.size() - 1) + " more fields)";
  return Status(Code::internal, what + " cannot be written as JSON: " +
                                    (first.field.empty() ? "it" : "field '" + first.field + "'") + " " +
                                    first.reason + more);
}

}  // namespace cobus
