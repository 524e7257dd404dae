// SPDX-License-Identifier: Apache-2.0
//
// Schemas at run time: the descriptor sets that nodes offer, what they define, and JSON to and from
// the messages. The client, the tap and the dashboard know no service when they are compiled; they
// learn them here. google/protobuf/* and cobus/v1/* come from the program itself, whatever a node
// says of them, so that a node of another release is no conflict.
// A SchemaPool is for one thread, or for several under one lock of their owner.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "proto/json_writer.hpp"
#include "proto/status.hpp"

namespace cobus {

struct JsonStyle {
  bool pretty = false;          // over several lines, indented by two
  bool redact_secrets = false;  // "***" for every field with option (cobus.v1.secret)
};

// A message as JSON.
struct MessageJson {
  nlohmann::ordered_json value;
  std::vector<JsonProblem> problems;  // what JSON cannot say of it: those fields are shown as well as may be

  // Ok without problems. INTERNAL naming the first of them and how many more there are; `what` names the
  // message.
  [[nodiscard]] Status status(const std::string& what) const;
};

class SchemaPool {
 public:
  SchemaPool();
  SchemaPool(const SchemaPool&) = delete;
  SchemaPool& operator=(const SchemaPool&) = delete;

  // Takes in the files of `set`, which may come in any order; what is known already is passed over.
  // FAILED_PRECONDITION when a file or a name is defined already and differently, INVALID_ARGUMENT for a
  // missing import and for files that contradict themselves. Files before the offending one stay.
  Status add(const google::protobuf::FileDescriptorSet& set);

  // Of all files added, in the order of adding. Descriptors live as long as the pool.
  [[nodiscard]] std::vector<const google::protobuf::ServiceDescriptor*> services() const;

  // By "package.Service/Method" or any tail of it that fits one method only ("Service/Method", "Method");
  // '.' and '/' are the same. NOT_FOUND with the nearest name, INVALID_ARGUMENT with all that fit.
  [[nodiscard]] Result<const google::protobuf::MethodDescriptor*> find_method(std::string_view name) const;
  // The same for services and messages; messages of cobus.v1 and of imported files are known too.
  [[nodiscard]] Result<const google::protobuf::ServiceDescriptor*> find_service(std::string_view name) const;
  [[nodiscard]] Result<const google::protobuf::Descriptor*> find_message(std::string_view name) const;
  // The full names of all messages that find_message() knows, sorted.
  [[nodiscard]] std::vector<std::string> messages() const;
  // Whether `descriptor` is of this pool, or of the program itself.
  [[nodiscard]] bool knows(const google::protobuf::Descriptor* descriptor) const {
    const auto* const pool = descriptor->file()->pool();
    return pool == &pool_ || pool == google::protobuf::DescriptorPool::generated_pool();
  }
  // By the type id of an envelope; null when no such message is known.
  [[nodiscard]] const google::protobuf::Descriptor* find_type(std::uint64_t type_id) const;

  // The bytes of a message written as JSON; fields by their name in the .proto or in lowerCamelCase. Equal
  // messages give equal bytes. INVALID_ARGUMENT that says where and what: line and column of malformed JSON,
  // the field that is unknown, missing, has a wrong value or is not UTF-8; see read_json().
  [[nodiscard]] Result<std::string> json_to_bytes(const google::protobuf::Descriptor* type,
                                                  std::string_view json) const;
  // JSON with the field names of the .proto in its order, defaults included, 64-bit numbers as strings, maps
  // by their keys. INVALID_ARGUMENT when the bytes are no such message.
  [[nodiscard]] Result<MessageJson> message_json(const google::protobuf::Descriptor* type,
                                                 std::string_view bytes, bool redact_secrets = false) const;
  // The same as text; a problem is an error.
  [[nodiscard]] Result<std::string> bytes_to_json(const google::protobuf::Descriptor* type,
                                                  std::string_view bytes, JsonStyle style = {}) const;

  // An empty message with every field (the first of a oneof), messages in it one level deep, as pretty
  // JSON that json_to_bytes takes.
  [[nodiscard]] static std::string template_json(const google::protobuf::Descriptor* type);

  // .proto text of it and of every message and enum that it uses, for people.
  [[nodiscard]] static std::string proto_text(const google::protobuf::ServiceDescriptor* service);
  [[nodiscard]] static std::string proto_text(const google::protobuf::MethodDescriptor* method);
  [[nodiscard]] static std::string proto_text(const google::protobuf::Descriptor* message);

 private:
  using FilesByName = std::map<std::string, const google::protobuf::FileDescriptorProto*, std::less<>>;

  Status add_file(const FilesByName& set, const google::protobuf::FileDescriptorProto& file, int depth);
  Status add_imports(const FilesByName& set, const google::protobuf::FileDescriptorProto& file, int depth);
  [[nodiscard]] std::unique_ptr<google::protobuf::Message> new_message(const std::string& name) const;
  void index(const google::protobuf::FileDescriptor* file);
  void index(const google::protobuf::Descriptor* message);

  google::protobuf::DescriptorPool pool_;
  mutable google::protobuf::DynamicMessageFactory factory_;
  // By name: the serialised file as it was given and as the pool writes it; either is the same again.
  std::map<std::string, std::vector<std::string>, std::less<>> files_;
  std::vector<const google::protobuf::FileDescriptor*> added_;
  std::unordered_set<const google::protobuf::FileDescriptor*> indexed_;
  std::unordered_map<std::uint64_t, const google::protobuf::Descriptor*> types_;
};

// `file` and all that it imports, imports first.
[[nodiscard]] google::protobuf::FileDescriptorSet collect_files(const google::protobuf::FileDescriptor* file);

// SHA-256 (32 bytes) that names a set, equal for equal sets in every process.
[[nodiscard]] std::string schema_digest(const google::protobuf::FileDescriptorSet& set);

}  // namespace cobus
