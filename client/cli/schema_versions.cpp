// SPDX-License-Identifier: Apache-2.0
#include "client/cli/schema_versions.hpp"

namespace cobus::client {
namespace {

namespace pb = google::protobuf;

const pb::MethodDescriptor* method_in(const SchemaPool& pool, const std::string& name) {
  const auto found = pool.find_method(name);
  // A tail of it may be the name of another method.
  return found && (*found)->service()->full_name() + '/' + (*found)->name() == name ? *found : nullptr;
}

}  // namespace

Status SchemaVersions::add(const std::string& digest, const pb::FileDescriptorSet& files) {
  if (has(digest)) return {};
  auto pool = std::make_unique<SchemaPool>();
  Status added = pool->add(files);
  if (added.ok()) pools_.emplace(digest, std::move(pool));
  return added;
}

const pb::MethodDescriptor* SchemaVersions::find_method(const std::string& digest,
                                                        const std::string& name) const {
  const auto found = pools_.find(digest);
  return found == pools_.end() ? nullptr : method_in(*found->second, name);
}

std::vector<std::pair<std::string, const pb::MethodDescriptor*>> SchemaVersions::methods(
    const std::string& name) const {
  std::vector<std::pair<std::string, const pb::MethodDescriptor*>> all;
  for (const auto& [digest, pool] : pools_) {
    if (const pb::MethodDescriptor* const method = method_in(*pool, name)) all.emplace_back(digest, method);
  }
  return all;
}

const pb::Descriptor* SchemaVersions::find_message(const std::string& name) const {
  for (const auto& [digest, pool] : pools_) {
    const auto found = pool->find_message(name);
    if (found && (*found)->full_name() == name) return *found;
  }
  const auto own = own_.find_message(name);
  return own && (*own)->full_name() == name ? *own : nullptr;
}

const pb::Descriptor* SchemaVersions::find_type(std::uint64_t type_id) const {
  for (const auto& [digest, pool] : pools_) {
    if (const pb::Descriptor* const found = pool->find_type(type_id)) return found;
  }
  return own_.find_type(type_id);
}

ServiceDescriptors SchemaVersions::services() const {
  ServiceDescriptors all;
  for (const auto& [digest, pool] : pools_) {
    for (const pb::ServiceDescriptor* service : pool->services()) all.push_back(service);
  }
  return all;
}

std::vector<std::string> SchemaVersions::messages() const {
  std::vector<std::string> all = own_.messages();
  for (const auto& [digest, pool] : pools_) {
    for (std::string& name : pool->messages()) all.push_back(std::move(name));
  }
  return all;
}

const SchemaPool& SchemaVersions::pool_of(const pb::Descriptor* type) const {
  if (own_.knows(type)) return own_;
  for (const auto& [digest, pool] : pools_) {
    if (pool->knows(type)) return *pool;
  }
  return own_;
}

Status SchemaVersions::lend(const pb::Descriptor* into, const std::string& name) {
  const pb::Descriptor* const message = find_message(name);
  if (message == nullptr) return {Code::not_found, "no schema that is known defines " + name};
  const SchemaPool& to = pool_of(into);
  for (const auto& [digest, pool] : pools_) {
    if (pool.get() == &to) return pool->add(collect_files(message->file()));
  }
  return own_.add(collect_files(message->file()));
}

}  // namespace cobus::client
