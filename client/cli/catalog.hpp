// SPDX-License-Identifier: Apache-2.0
//
// Catalog: what can be called, in full detail. The directory tells which node offers which methods; their
// schemas are fetched from the nodes by digest when they are needed, so the program knows no service when
// it is compiled. Nodes may offer a service in several versions: the one of the node that is called counts.
// Used by one verb's coroutine, on the session's shard.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/json.hpp"
#include "client/cli/schema_cache.hpp"
#include "client/cli/schema_versions.hpp"
#include "node/cluster/view.hpp"
#include "node/runtime/task.hpp"
#include "node/worker/self.hpp"

namespace cobus::client {

// A payload as far as it can be shown.
struct Decoded {
  Json json;                // of bytes that are no message of a known type: their type and hexadecimal form
  Status problem;           // ok when `json` says all; else INTERNAL naming the field and the reason
  bool is_message = false;  // false: `json` is the hexadecimal form
  std::vector<std::string> unknown_types = {};  // of Anys in it, which no loaded schema defines
};

class Catalog {
 public:
  // `view` must outlive it. `cache`: a folder for the schemas that came; empty: none.
  explicit Catalog(View& view, std::filesystem::path cache = {}) : view_(view), cache_(std::move(cache)) {}

  struct Found {
    const google::protobuf::MethodDescriptor* method = nullptr;  // lives as long as the catalog
    std::set<NodeId> nodes;  // that are up and offer it in this version; empty when nobody says so
    bool only_version = true;
  };
  // The method that `name`, any unambiguous tail of it, means: as `node` has it, or, with `node` none, as one
  // of the nodes that offer it, `except` these, by chance. When no node tells the schema of that version,
  // another one is taken, but not with `node`. NOT_FOUND and INVALID_ARGUMENT with what fits or is near;
  // UNAVAILABLE when no node is up, or none tells what it offers, naming each that did not.
  [[nodiscard]] Task<Result<Found>> find(Self self, std::string name, NodeId node = NodeId::none,
                                         std::set<NodeId> except = {});
  // The same where no node is called: only the method.
  [[nodiscard]] Task<Result<const google::protobuf::MethodDescriptor*>> find_method(Self self,
                                                                                    std::string name);
  // A method that `name` means and that only nodes offer which are away or down, or left a short while ago.
  struct Away {
    std::string name;                                            // package.Service/Method
    std::string node;                                            // one of them
    const google::protobuf::MethodDescriptor* method = nullptr;  // null: its schema is not in the cache
  };
  [[nodiscard]] std::optional<Away> away(const std::string& name);
  // Loads the schemas of all services, of cobus itself too. UNAVAILABLE when no node could be asked.
  [[nodiscard]] Task<Status> load_all(Self self);
  // Loads those of the service of "package.Service/Method", in every version that a node offers.
  [[nodiscard]] Task<Status> load_method(Self self, std::string method);

  // What was loaded.
  [[nodiscard]] SchemaVersions& schemas() noexcept { return schemas_; }
  [[nodiscard]] const SchemaVersions& schemas() const noexcept { return schemas_; }
  // "package.Service/Method" as the node named `node` has it, if that is known and loaded; else in the
  // version that most nodes have. Null when none is loaded.
  [[nodiscard]] const google::protobuf::MethodDescriptor* loaded_method(const std::string& method,
                                                                        const std::string& node = {}) const;
  // Names of the nodes that offer something of the version `digest`.
  [[nodiscard]] std::vector<std::string> nodes_with(const std::string& digest) const;
  // The bytes of a message that `json` is. Loads as decode() does. Errors as of SchemaPool::json_to_bytes().
  [[nodiscard]] Task<Result<std::string>> encode(Self self, const google::protobuf::Descriptor* type,
                                                 std::string json);
  // The same without loading anything.
  [[nodiscard]] Result<std::string> json_to_bytes(const google::protobuf::Descriptor* type,
                                                  std::string_view json) const {
    return schemas_.pool_of(type).json_to_bytes(type, json);
  }

  // `bytes` as JSON; when the type is unknown or the bytes are no such message, their type and hexadecimal
  // form. `redacted`: without what is marked secret, and of what cannot be decoded only type and size.
  [[nodiscard]] Json decoded(const google::protobuf::Descriptor* type, std::string_view type_name,
                             std::string_view bytes, bool redacted = false) const;
  // What a job of `method`, in full, gave that ran at the node named `node`.
  [[nodiscard]] Task<Decoded> decode_result(Self self, std::string method, std::string bytes,
                                            std::string node = {});
  // As decoded(), with what is wrong. When an Any is of a type that is not known, the schemas of all services
  // are loaded.
  [[nodiscard]] Task<Decoded> decode(Self self, const google::protobuf::Descriptor* type,
                                     std::string type_name, std::string bytes, bool redacted = false);

 private:
  // The digests of a service, and who offers it so.
  using Versions = std::map<std::string, std::set<NodeId>>;
  [[nodiscard]] Versions versions_of(const std::string& service) const;
  [[nodiscard]] Decoded decode_now(const google::protobuf::Descriptor* type, std::string_view type_name,
                                   std::string_view bytes, bool redacted) const;
  // Whether one of these messages is known, from now on, where `type` is.
  [[nodiscard]] Task<bool> learn(Self self, const google::protobuf::Descriptor* type,
                                 std::vector<std::string> names);
  [[nodiscard]] Task<Result<std::string>> full_name(Self self, std::string name);

  View& view_;
  SchemaCache cache_;
  SchemaVersions schemas_;
  TimePoint looked_everywhere_ = TimePoint::min();
  std::map<std::string, Status> problems_;  // nodes that do not tell what they offer
};

// The folder of the state folder where this user's schemas are kept.
[[nodiscard]] std::filesystem::path schemas_folder(const std::string& state);

// "package.Service/Method" of a descriptor.
[[nodiscard]] std::string method_name(const google::protobuf::MethodDescriptor* method);

// Whether its request or its answer is a stream, so that it is neither a job nor mapped.
[[nodiscard]] bool has_stream(const google::protobuf::MethodDescriptor* method);

// Full names of the methods in `records` that `name` is a tail of, or is, which then counts alone; those of
// cobus itself only if no other is.
[[nodiscard]] std::set<std::string> matching_methods(const std::vector<v1::NodeRecord>& records,
                                                     std::string_view name);

}  // namespace cobus::client
