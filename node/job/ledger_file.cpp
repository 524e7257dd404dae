// SPDX-License-Identifier: Apache-2.0
#include "node/job/ledger_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace cobus::job {
namespace {

namespace fs = std::filesystem;

Status io_error(const fs::path& file, std::string_view what, int error) {
  return {Code::unavailable, fmt::format("ledger {}: {}: {}", file.string(), what, std::strerror(error))};
}

// Who wrote its process id into the lock file.
std::string holder(int lock) {
  std::array<char, 32> text{};
  const ssize_t size = pread(lock, text.data(), text.size() - 1, 0);
  std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  std::erase_if(pid, [](char c) { return c < '0' || c > '9'; });
  return pid.empty() ? "another process" : "process " + pid;
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
  const fs::path lock_path = file.string() + ".lock";
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return fail(io_error(file, "cannot open " + lock_path.string(), errno));
  LedgerFile ledger(file, lock);
  if (is_network(lock)) {
    return fail(Code::failed_precondition,
                fmt::format("ledger {} is on a network file system, where its journal is not safe: give this "
                            "node a --state folder on a local disk",
                            file.string()));
  }
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(io_error(file, "cannot lock " + lock_path.string(), errno));
    return fail(Code::failed_precondition,
                fmt::format("ledger {} is in use by {}: stop that node, or give this one another --name or "
                            "--state folder",
                            file.string(), holder(lock)));
  }
  // Only shown to whoever comes second, so a full disk here is no reason to refuse.
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(lock, 0) == 0) (void)!pwrite(lock, pid.data(), pid.size(), 0);
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
    return {Code::failed_precondition,
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

LedgerFile::LedgerFile(LedgerFile&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      device_(other.device_),
      inode_(other.inode_) {}

LedgerFile& LedgerFile::operator=(LedgerFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

LedgerFile::~LedgerFile() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace cobus::job
