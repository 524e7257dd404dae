// SPDX-License-Identifier: Apache-2.0
//
// Catalog: what can be called, in full detail. The directory tells which node offers which methods; their
// schemas are fetched from the nodes by digest when they are needed, so the program knows no service when
// it is compiled. Used by one verb's coroutine, on the session's shard.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "client/cli/json.hpp"
#include "node/cluster/view.hpp"
#include "node/runtime/task.hpp"
#include "node/worker/self.hpp"
#include "proto/schema.hpp"

namespace cobus::client {

class Catalog {
 public:
  // `view` must outlive it.
  explicit Catalog(View& view) : view_(view) {}

  // The method that `name` means, any unambiguous tail, with its schema loaded; with `node`, as that one has
  // it. NOT_FOUND and INVALID_ARGUMENT with what fits or is near; UNAVAILABLE when no node is up.
  [[nodiscard]] Task<Result<const google::protobuf::MethodDescriptor*>> find_method(
      Self self, std::string name, NodeId node = NodeId::none);
  // Loads the schemas of all services, of cobus itself too. UNAVAILABLE when no node could be asked.
  [[nodiscard]] Task<Status> load_all(Self self);
  // Loads that of the service of "package.Service/Method", if a node offers it.
  [[nodiscard]] Task<Status> load_method(Self self, std::string method);

  [[nodiscard]] SchemaPool& pool() noexcept { return pool_; }
  [[nodiscard]] const SchemaPool& pool() const noexcept { return pool_; }
  // `bytes` as JSON; when the type is unknown or the bytes are no such message, their type and hexadecimal
  // form. `redacted`: without what is marked secret, and of what cannot be decoded only type and size.
  [[nodiscard]] Json decoded(const google::protobuf::Descriptor* type, std::string_view type_name,
                             std::string_view bytes, bool redacted = false) const;
  // What a job of `method` gives; `method` in full.
  [[nodiscard]] Json decoded_result(const std::string& method, std::string_view bytes) const;

 private:
  using Wanted = std::function<bool(const v1::ServiceRecord&)>;
  [[nodiscard]] Task<Status> load(Self self, Wanted wanted, NodeId prefer);

  View& view_;
  SchemaPool pool_;
  std::set<std::string> loaded_;  // digests
};

// "package.Service/Method" of a descriptor.
[[nodiscard]] std::string method_name(const google::protobuf::MethodDescriptor* method);

// Whether its request or its answer is a stream, so that it is neither a job nor mapped.
[[nodiscard]] bool has_stream(const google::protobuf::MethodDescriptor* method);

// A node that offers `service`, by chance, since every run of this program is a new caller; none when there
// is none.
[[nodiscard]] NodeId any_provider(const View& view, const std::string& service, Random& random);

// Full names of the methods in `records` that `name` is a tail of; those of cobus itself only if no other is.
[[nodiscard]] std::set<std::string> matching_methods(const std::vector<v1::NodeRecord>& records,
                                                     std::string_view name);

}  // namespace cobus::client
