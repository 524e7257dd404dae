// SPDX-License-Identifier: Apache-2.0
//
// KnownNodes: the names of the nodes that were registered, in a private file of the broker. The directory
// itself is soft state; these names only tell the next life of the broker whom to wait for before it says
// that it knows every node. A file that is lost or damaged costs no more than that.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "proto/status.hpp"

namespace cobus::broker {

class KnownNodes {
 public:
  explicit KnownNodes(std::filesystem::path file) : file_(std::move(file)) {}

  // One name a line. None when there is no file, or it cannot be read.
  [[nodiscard]] std::vector<std::string> load() const;
  // Replaces the file. It outlives the process, and need not outlive a loss of power, so it is not synced.
  // UNAVAILABLE with the reason; the file is then as it was. Blocks.
  [[nodiscard]] Status save(const std::vector<std::string>& names) const;

 private:
  const std::filesystem::path file_;
};

}  // namespace cobus::broker
