// SPDX-License-Identifier: Apache-2.0
//
// MapInput: where a map's requests come from: lines of a file or of stdin, or one file a request. Read
// as they are wanted, so memory does not grow with the input; blocking reads run in the pool. One shard.
#pragma once

#include <google/protobuf/descriptor.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/arguments.hpp"
#include "node/runtime/signal.hpp"
#include "node/runtime/task.hpp"
#include "proto/status.hpp"

namespace cobus::client {

struct MapRequest {
  std::uint64_t sequence = 0;  // from 1
  std::string name;            // of the file; empty for a line
  std::string json;
  Status problem;  // why there is no request here: an unreadable file, text that is not UTF-8
};

class MapInput {
 public:
  // INVALID_ARGUMENT for a FILE that cannot be opened, for --files without paths, for both or neither.
  [[nodiscard]] static Result<std::unique_ptr<MapInput>> open(const Arguments& arguments);
  ~MapInput();
  MapInput(const MapInput&) = delete;
  MapInput& operator=(const MapInput&) = delete;

  // That --files names a text field of `request`. INVALID_ARGUMENT listing those there are.
  [[nodiscard]] Status check_field(const google::protobuf::Descriptor* request) const;
  // The next request; nothing at the end of the input.
  [[nodiscard]] Task<std::optional<MapRequest>> next();
  // How many there are, where that is known beforehand.
  [[nodiscard]] std::optional<std::uint64_t> total() const;

 private:
  MapInput() = default;
  [[nodiscard]] static MapRequest read_file(std::string path, std::string field);
  [[nodiscard]] static std::optional<std::string> read_line(std::FILE* file);

  std::FILE* lines_ = nullptr;
  std::string field_;
  std::vector<std::string> paths_;
  std::uint64_t sequence_ = 0;
  bool reading_ = false;  // one reader at a time, so that sequence numbers follow the lines
  bool ended_ = false;
  Signal read_;
};

}  // namespace cobus::client
