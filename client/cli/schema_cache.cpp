// SPDX-License-Identifier: Apache-2.0
#include "client/cli/schema_cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "node/link/identity.hpp"
#include "proto/schema.hpp"

namespace cobus::client {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kept_max = 64;

}  // namespace

fs::path SchemaCache::file_of(const std::string& digest) const {
  std::string name;
  for (const char byte : digest) name += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return folder_ / name;
}

std::optional<google::protobuf::FileDescriptorSet> SchemaCache::load(const std::string& digest) const {
  if (folder_.empty() || digest.empty()) return std::nullopt;
  const auto bytes = link::read_private_file(file_of(digest));
  google::protobuf::FileDescriptorSet files;
  if (!bytes || !files.ParseFromString(*bytes) || schema_digest(files) != digest) return std::nullopt;
  return files;
}

void SchemaCache::store(const std::string& digest, const google::protobuf::FileDescriptorSet& files) const {
  std::error_code error;
  if (folder_.empty() || digest.empty() || fs::exists(file_of(digest), error)) return;
  if (!link::make_private_folder(folder_).ok()) return;
  make_room();
  static_cast<void>(link::write_private_file(file_of(digest), files.SerializeAsString()));
}

void SchemaCache::make_room() const {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> kept;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error))
    kept.emplace_back(entry.last_write_time(error), entry.path());
  std::ranges::sort(kept);
  for (std::size_t i = 0; i + kept_max <= kept.size(); ++i) fs::remove(kept[i].second, error);
}

}  // namespace cobus::client
