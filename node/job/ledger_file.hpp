// SPDX-License-Identifier: Apache-2.0
//
// LedgerFile: the file of a ledger as the operating system sees it. Takes the lock that keeps a
// second daemon out, makes the file private, refuses file systems that SQLite's journal cannot work
// on, and notices when the file is taken away while in use. It reads none of the content.
// Owned by the SQLite ledger. The lock is released when the object goes.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <utility>

#include "node/runtime/file_lock.hpp"
#include "proto/status.hpp"

namespace cobus::job {

class LedgerFile {
 public:
  // Locks FILE.lock and makes FILE, mode 0600, when absent; the folder must exist.
  // UNAVAILABLE when another process has it (named by its id) and for I/O errors with errno's text;
  // PERMISSION_DENIED when others may read it; FAILED_PRECONDITION on a network file system;
  // RESOURCE_EXHAUSTED for a full disk.
  [[nodiscard]] static Result<LedgerFile> acquire(const std::filesystem::path& file);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  // UNAVAILABLE when the file that was opened is no longer the one at its path.
  [[nodiscard]] Status in_place() const;
  // Space left for this user: "3.2 MiB free", or "" when unknown.
  [[nodiscard]] std::string free_space() const;

 private:
  LedgerFile(std::filesystem::path path, FileLock lock) noexcept
      : path_(std::move(path)), lock_(std::move(lock)) {}
  [[nodiscard]] Status make_private();

  std::filesystem::path path_;
  FileLock lock_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace cobus::job
