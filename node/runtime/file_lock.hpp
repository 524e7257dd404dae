// SPDX-License-Identifier: Apache-2.0
//
// FileLock: keeps a second process away from what a daemon keeps on disk. An advisory lock (flock) on a
// file that holds the process id of its owner, so that whoever comes second can name it. It goes with the
// object, and with the process. Owned by whoever owns the files; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "proto/status.hpp"

namespace cobus {

class FileLock {
 public:
  // Locks `file`, making it (mode 0600) when absent; its folder must exist. ALREADY_EXISTS when another
  // has it; the message is "process N", or "another process". Else UNAVAILABLE, RESOURCE_EXHAUSTED for a
  // full disk, with errno's text.
  [[nodiscard]] static Result<FileLock> acquire(const std::filesystem::path& file);

  FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  explicit FileLock(int descriptor) noexcept : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace cobus
