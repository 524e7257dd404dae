// SPDX-License-Identifier: Apache-2.0
#include "proto/schema.hpp"

#include <sodium.h>

#include <algorithm>

#include <cobus/v1/directory.pb.h>
#include <cobus/v1/envelope.pb.h>
#include <cobus/v1/job.pb.h>
#include <cobus/v1/observe.pb.h>
#include <cobus/v1/session.pb.h>
#include "proto/deterministic.hpp"
#include "proto/type_id.hpp"

namespace cobus {
namespace {

namespace pb = google::protobuf;

// Nobody nests imports this deep; a ring of imports does.
constexpr int import_depth_max = 64;

void forget_json_names(pb::DescriptorProto& message) {
  for (pb::FieldDescriptorProto& field : *message.mutable_field()) field.clear_json_name();
  for (pb::FieldDescriptorProto& field : *message.mutable_extension()) field.clear_json_name();
  for (pb::DescriptorProto& nested : *message.mutable_nested_type()) forget_json_names(nested);
}

// What stays the same however the descriptor was made: protoc adds JSON names and comments in some of
// its outputs and not in others.
std::string identity(pb::FileDescriptorProto file) {
  file.clear_source_code_info();
  for (pb::DescriptorProto& message : *file.mutable_message_type()) forget_json_names(message);
  for (pb::FieldDescriptorProto& field : *file.mutable_extension()) field.clear_json_name();
  return deterministic_bytes(file);
}

// The program's own definition of a file that every cobus program has; null for any other.
const pb::FileDescriptor* own_definition(const std::string& name) {
  if (!name.starts_with("google/protobuf/") && !name.starts_with("cobus/v1/")) return nullptr;
  return pb::DescriptorPool::generated_pool()->FindFileByName(name);
}

class FirstError final : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& /*file*/, const std::string& element, const pb::Message* /*descriptor*/,
                ErrorLocation /*location*/, const std::string& message) override {
    if (text.empty()) text = element + ": " + message;
  }
  std::string text;
};

void collect(const pb::FileDescriptor* file, std::unordered_set<const pb::FileDescriptor*>& seen,
             pb::FileDescriptorSet& set) {
  if (!seen.insert(file).second) return;
  for (int i = 0; i < file->dependency_count(); ++i) collect(file->dependency(i), seen, set);
  pb::FileDescriptorProto& copy = *set.add_file();
  file->CopyTo(&copy);
  file->CopyJsonNameTo(&copy);
}

}  // namespace

SchemaPool::SchemaPool() : pool_(pb::DescriptorPool::generated_pool()), factory_(&pool_) {
  for (const pb::Descriptor* message :
       {v1::Envelope::descriptor(), v1::Hello::descriptor(), v1::NodeRecord::descriptor(),
        v1::Job::descriptor(), v1::TapRecord::descriptor()}) {
    index(message->file());
  }
}

Status SchemaPool::add(const pb::FileDescriptorSet& set) {
  FilesByName by_name;
  for (const pb::FileDescriptorProto& file : set.file()) {
    const auto [known, is_new] = by_name.emplace(file.name(), &file);
    if (!is_new && identity(*known->second) != identity(file)) {
      return Status(Code::failed_precondition, "the schema holds two different files named " + file.name());
    }
  }
  for (const pb::FileDescriptorProto& file : set.file()) {
    if (Status status = add_file(by_name, file, 0); !status.ok()) return status;
  }
  return Status();
}

Status SchemaPool::add_file(const FilesByName& set, const pb::FileDescriptorProto& file, int depth) {
  const auto known = files_.find(file.name());
  if (const pb::FileDescriptor* const own = own_definition(file.name()); own != nullptr) {
    if (known == files_.end()) {
      files_.emplace(file.name(), std::vector<std::string>());
      added_.push_back(own);
      index(own);
    }
    return Status();
  }
  std::string bytes = identity(file);
  if (known != files_.end()) {
    if (std::ranges::find(known->second, bytes) != known->second.end()) return Status();
    return Status(Code::failed_precondition,
                  "schema file " + file.name() +
                      " is known already with other contents: two nodes offer different "
                      "versions of it");
  }
  if (Status status = add_imports(set, file, depth); !status.ok()) return status;
  FirstError error;
  const pb::FileDescriptor* const built = pool_.BuildFileCollectingErrors(file, &error);
  if (built == nullptr) {
    const bool conflict = error.text.find("already defined") != std::string::npos;
    return Status(conflict ? Code::failed_precondition : Code::invalid_argument,
                  "schema file " + file.name() + ": " + error.text);
  }
  pb::FileDescriptorProto copy;
  built->CopyTo(&copy);
  files_.emplace(file.name(), std::vector{std::move(bytes), identity(std::move(copy))});
  added_.push_back(built);
  index(built);
  return Status();
}

Status SchemaPool::add_imports(const FilesByName& set, const pb::FileDescriptorProto& file, int depth) {
  if (depth > import_depth_max) {
    return Status(Code::invalid_argument, "schema file " + file.name() +
                                              " imports itself, or nests imports over " +
                                              std::to_string(import_depth_max) + " deep");
  }
  for (const std::string& import : file.dependency()) {
    if (const auto found = set.find(import); found != set.end()) {
      if (Status status = add_file(set, *found->second, depth + 1); !status.ok()) return status;
    } else if (!files_.contains(import) && own_definition(import) == nullptr) {
      return Status(Code::invalid_argument,
                    "schema file " + file.name() + " imports " + import +
                        ", which is not in the set; send it with all that it imports");
    }
  }
  return Status();
}

void SchemaPool::index(const pb::FileDescriptor* file) {
  if (!indexed_.insert(file).second) return;
  for (int i = 0; i < file->dependency_count(); ++i) index(file->dependency(i));
  for (int i = 0; i < file->message_type_count(); ++i) index(file->message_type(i));
}

void SchemaPool::index(const pb::Descriptor* message) {
  if (message->options().map_entry()) return;
  types_[static_cast<std::uint64_t>(type_id(message->full_name()))] = message;
  for (int i = 0; i < message->nested_type_count(); ++i) index(message->nested_type(i));
}

std::vector<const pb::ServiceDescriptor*> SchemaPool::services() const {
  std::vector<const pb::ServiceDescriptor*> result;
  for (const pb::FileDescriptor* file : added_) {
    for (int i = 0; i < file->service_count(); ++i) result.push_back(file->service(i));
  }
  return result;
}

const pb::Descriptor* SchemaPool::find_type(std::uint64_t type_id) const {
  const auto found = types_.find(type_id);
  return found == types_.end() ? nullptr : found->second;
}

pb::FileDescriptorSet collect_files(const pb::FileDescriptor* file) {
  pb::FileDescriptorSet set;
  std::unordered_set<const pb::FileDescriptor*> seen;
  collect(file, seen, set);
  return set;
}

std::string schema_digest(const pb::FileDescriptorSet& set) {
  const std::string bytes = deterministic_bytes(set);
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return digest;
}

}  // namespace cobus
