// SPDX-License-Identifier: Apache-2.0
#include "node/job/ledger_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "node/runtime/io_status.hpp"

namespace cobus::job {
namespace {

namespace fs = std::filesystem;

Status io_error(const fs::path& file, std::string_view what, int error) {
  return io_status(fmt::format("ledger {}: {}", file.string(), what), error);
}

bool is_network(int descriptor) {
  struct statfs info{};
  if (fstatfs(descriptor, &info) != 0) return false;
  constexpr std::array<std::uint32_t, 5> kinds = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC,
                                                  SMB2_SUPER_MAGIC, AFS_SUPER_MAGIC};
  return std::find(kinds.begin(), kinds.end(), static_cast<std::uint32_t>(info.f_type)) != kinds.end();
}

}  // namespace

Result<LedgerFile> LedgerFile::acquire(const fs::path& file) {
  auto lock = FileLock::acquire(file.string() + ".lock");
  if (!lock && lock.error().code() == Code::already_exists) {
    return fail(Code::unavailable,
                fmt::format("ledger {} is in use by {}: stop that node, or give this one another --name or "
                            "--state folder",
                            file.string(), lock.error().message()));
  }
  if (!lock)
    return fail(lock.error().code(), fmt::format("ledger {}: {}", file.string(), lock.error().message()));
  if (is_network(lock->descriptor())) {
    return fail(Code::failed_precondition,
                fmt::format("ledger {} is on a network file system, where its journal is not safe: give this "
                            "node a --state folder on a local disk",
                            file.string()));
  }
  LedgerFile ledger(file, std::move(*lock));
  if (Status status = ledger.make_private(); !status.ok()) return fail(std::move(status));
  return ledger;
}

Status LedgerFile::make_private() {
  const int descriptor = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return io_error(path_, "cannot open", errno);
  struct stat info{};
  const bool known = fstat(descriptor, &info) == 0;
  const int error = errno;
  close(descriptor);
  if (!known) return io_error(path_, "cannot look at it", error);
  if ((info.st_mode & 077) != 0) {
    return {Code::permission_denied,
            fmt::format("ledger {} can be read by others: chmod 600 {}", path_.string(), path_.string())};
  }
  device_ = info.st_dev;
  inode_ = info.st_ino;
  // So that the new file is still there after a loss of power.
  const fs::path folder = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
  const int parent = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0) return io_error(path_, "cannot open its folder", errno);
  const bool synced = fsync(parent) == 0;
  const int sync_error = errno;
  close(parent);
  return synced ? Status() : io_error(path_, "cannot sync its folder", sync_error);
}

Status LedgerFile::in_place() const {
  struct stat info{};
  if (stat(path_.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_) return {};
  return {Code::unavailable,
          fmt::format("ledger {} was moved or deleted while in use: put it back, or restart the node",
                      path_.string())};
}

std::string LedgerFile::free_space() const {
  struct statvfs info{};
  if (statvfs(path_.c_str(), &info) != 0) return {};
  constexpr double mebibyte = 1024.0 * 1024.0;
  return fmt::format("{:.1f} MiB free",
                     static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize) / mebibyte);
}

}  // namespace cobus::job
