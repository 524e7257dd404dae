// SPDX-License-Identifier: Apache-2.0
//
// SchemaCache: the schemas that this user's runs of the program got from nodes, by digest, in the client's
// folder of the state folder. What is called again is asked for once, and a job can be submitted while the
// only node that offers its method is away. A digest names its contents, so nothing here grows stale; what
// cannot be read or written is done without.
#pragma once

#include <google/protobuf/descriptor.pb.h>

#include <filesystem>
#include <optional>
#include <string>

namespace cobus::client {

class SchemaCache {
 public:
  // An empty folder: it keeps nothing.
  explicit SchemaCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Nothing when it is not there, or is not what the digest says.
  [[nodiscard]] std::optional<google::protobuf::FileDescriptorSet> load(const std::string& digest) const;
  // Keeps `files`, whose digest it is; the oldest of 64 go.
  void store(const std::string& digest, const google::protobuf::FileDescriptorSet& files) const;

 private:
  [[nodiscard]] std::filesystem::path file_of(const std::string& digest) const;
  void make_room() const;

  std::filesystem::path folder_;
};

}  // namespace cobus::client
