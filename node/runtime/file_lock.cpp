// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "node/runtime/io_status.hpp"

namespace cobus {
namespace {

// Who wrote its process id into the lock file.
std::string holder(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size() - 1, 0);
  std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  std::erase_if(pid, [](char c) { return c < '0' || c > '9'; });
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::filesystem::path& file) {
  FileLock lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.descriptor_ < 0) return fail(io_status("cannot open " + file.string(), errno));
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(io_status("cannot lock " + file.string(), errno));
    return fail(Code::already_exists, holder(lock.descriptor_));
  }
  // Only shown to whoever comes second, so a full disk here is no reason to refuse.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.descriptor_, 0) == 0)
    static_cast<void>(!::pwrite(lock.descriptor_, pid.data(), pid.size(), 0));
  return lock;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace cobus
