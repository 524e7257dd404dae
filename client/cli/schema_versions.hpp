// SPDX-License-Identifier: Apache-2.0
//
// SchemaVersions: the schemas that nodes gave, each set of files in a pool of its own under its digest, so
// that two versions of a service, or two files of one name, stand beside each other. Which of them is meant
// is told by the node that is called. Used by one verb's coroutine; it asks nobody.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/schema.hpp"
#include "proto/schema_names.hpp"

namespace cobus::client {

class SchemaVersions {
 public:
  // Keeps `files` under `digest`; does nothing when that is known. FAILED_PRECONDITION and INVALID_ARGUMENT
  // as of SchemaPool::add(): it is then not known.
  Status add(const std::string& digest, const google::protobuf::FileDescriptorSet& files);
  [[nodiscard]] bool has(const std::string& digest) const { return pools_.contains(digest); }
  [[nodiscard]] bool empty() const noexcept { return pools_.empty(); }

  // By full name, as the version `digest` has it; null when that is not known or has none.
  [[nodiscard]] const google::protobuf::MethodDescriptor* find_method(const std::string& digest,
                                                                      const std::string& name) const;
  // By full name, in each version that has it, by digest.
  [[nodiscard]] std::vector<std::pair<std::string, const google::protobuf::MethodDescriptor*>> methods(
      const std::string& name) const;
  // By full name or type id, in any version: the first by digest; messages of cobus.v1 too. Null: none.
  [[nodiscard]] const google::protobuf::Descriptor* find_message(const std::string& name) const;
  [[nodiscard]] const google::protobuf::Descriptor* find_type(std::uint64_t type_id) const;

  // Of all versions; one that several have occurs as often.
  [[nodiscard]] ServiceDescriptors services() const;
  [[nodiscard]] std::vector<std::string> messages() const;
  [[nodiscard]] const std::map<std::string, std::unique_ptr<SchemaPool>>& pools() const noexcept {
    return pools_;
  }

  // The pool that `type` is of, to convert messages with. `type` is of one of them, or of the program itself.
  [[nodiscard]] const SchemaPool& pool_of(const google::protobuf::Descriptor* type) const;
  // Makes the pool of `into` know the message `name` of another one, for an Any in it that holds one.
  // NOT_FOUND when none has it; FAILED_PRECONDITION when the two contradict each other.
  Status lend(const google::protobuf::Descriptor* into, const std::string& name);

 private:
  std::map<std::string, std::unique_ptr<SchemaPool>> pools_;
  SchemaPool own_;  // what the program itself knows
};

}  // namespace cobus::client
