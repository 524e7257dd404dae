// SPDX-License-Identifier: Apache-2.0
//
// NodeFolder: STATE/nodes/NAME, which holds a node's key, certificate and ledger. One process at a time has
// it: two nodes with one key would take sessions and messages from each other. It also notices that a node
// which is called after its host would leave an earlier ledger behind because the host has another name now.
// Owned by the Daemon; main's thread.
#pragma once

#include <filesystem>
#include <string>

#include "node/runtime/file_lock.hpp"
#include "proto/status.hpp"

namespace cobus::daemon {

class NodeFolder {
 public:
  // Makes `folder` private and locks it, whether the node keeps jobs or not. UNAVAILABLE naming the process
  // that has it; PERMISSION_DENIED and others when it cannot be made.
  [[nodiscard]] static Result<NodeFolder> open(const std::filesystem::path& folder);

  // For a node that keeps jobs and is called after its host. FAILED_PRECONDITION when this folder has no
  // ledger yet and the last such node of this state folder had another name, left a ledger, and does not run:
  // its jobs would wait there for ever. Names both and what to type. Else takes note of the name for the next
  // start; a note that cannot be written is left out.
  [[nodiscard]] Status check_host_name() const;

 private:
  NodeFolder(std::filesystem::path folder, FileLock lock)
      : folder_(std::move(folder)), lock_(std::move(lock)) {}

  std::filesystem::path folder_;
  FileLock lock_;
};

}  // namespace cobus::daemon
