// SPDX-License-Identifier: Apache-2.0
#include "node/host/child_process.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <linux/close_range.h>

extern "C" {  // which glibc 2.36 does not say itself
#include <sys/pidfd.h>
}

namespace cobus::host {
namespace {

constexpr int exit_not_started = 127;
constexpr int first_to_close = STDERR_FILENO + 1;

// All that the child needs up to exec, made before the fork.
struct Launch {
  const char* name;
  const char* program;
  std::vector<char*> words;
  std::vector<char*> environment;
  bool bounded = false;
  rlimit address_space{};
  pid_t parent = 0;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

[[noreturn]] void complain(const Launch& launch, const char* what) {
  const int error = errno;
  for (const char* text :
       {"child ", launch.name, " cannot be started: ", what, ": ", ::strerrordesc_np(error), "\n"}) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
  }
  ::_exit(exit_not_started);
}

// In the child, up to exec: async-signal-safe calls only, since other threads may have held any lock, that of
// the allocator too, when it was made.
[[noreturn]] void become(const Launch& launch) {
  if (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) complain(launch, "to end with its parent");
  if (::getppid() != launch.parent) ::_exit(exit_not_started);  // it died before that took effect
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) complain(launch, "to take signals");
  if (launch.bounded && ::setrlimit(RLIMIT_AS, &launch.address_space) != 0)
    complain(launch, "to bound its memory");
  if (::close_range(first_to_close, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
    complain(launch, "to close what is not its own");
  ::execve(launch.program, launch.words.data(), launch.environment.data());
  complain(launch, launch.program);
}

std::string how(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return fmt::format("exit code {}", info.si_status);
  const char* name = ::sigabbrev_np(info.si_status);
  if (name == nullptr) return fmt::format("signal {}", info.si_status);
  return fmt::format("signal SIG{} ({})", name, ::sigdescr_np(info.si_status));
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildCommand& command) {
  Launch launch;
  launch.name = command.name.c_str();
  launch.program = command.program.c_str();
  launch.words = pointers(command.words);
  launch.environment = pointers(command.environment);
  launch.parent = ::getpid();
  if (command.address_space_bytes_max != 0) {
    rlimit now{};
    if (::getrlimit(RLIMIT_AS, &now) != 0) now.rlim_max = RLIM_INFINITY;
    const rlim_t bound = std::min<rlim_t>(command.address_space_bytes_max, now.rlim_max);
    launch.bounded = true;
    launch.address_space = {bound, bound};
  }
  const pid_t id = ::fork();
  if (id == 0) become(launch);
  if (id < 0) return fail(Code::unavailable, fmt::format("no process for it: {}", std::strerror(errno)));
  const int descriptor = ::pidfd_open(id, 0);
  if (descriptor < 0) {
    const int error = errno;
    ::kill(id, SIGKILL);
    ::waitpid(id, nullptr, 0);
    return fail(Code::unavailable, fmt::format("no descriptor for it: {}", std::strerror(error)));
  }
  return ChildProcess(id, descriptor);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : id_(std::exchange(other.id_, -1)), descriptor_(std::exchange(other.descriptor_, -1)) {}

ChildProcess::~ChildProcess() {
  if (id_ > 0) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ChildProcess::send(int signal) noexcept {
  if (id_ > 0) ::kill(id_, signal);
}

std::optional<std::string> ChildProcess::reap() {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOHANG) != 0) {
    if (errno == EINTR) return std::nullopt;
    id_ = -1;
    return "an exit code that something else in this process took";
  }
  if (info.si_pid == 0) return std::nullopt;
  id_ = -1;
  return how(info);
}

}  // namespace cobus::host
