// SPDX-License-Identifier: Apache-2.0
#include "node/host/trial.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <string_view>

namespace cobus::host {
namespace {

constexpr int exit_lost = 1;
constexpr std::size_t said_bytes_max = 4096;

// In the copy: where its last words go.
int words = -1;

void say(std::string_view text) {
  [[maybe_unused]] const auto written = ::write(words, text.data(), text.size());
}

void hear(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/, const std::string& message) {
  say(message + "\n");
  if (level == google::protobuf::LOGLEVEL_FATAL) ::_exit(exit_lost);
}

[[noreturn]] void terminated() {
  try {
    if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    say(std::string(error.what()) + "\n");
  } catch (...) {
    say("an exception of unknown type\n");
  }
  ::_exit(exit_lost);
}

[[noreturn]] void load_in_copy(const char* module, int pipe, pid_t parent) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(exit_lost);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  // What it writes now it writes again when it is loaded.
  if (const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC); nowhere >= 0) {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, descriptor);
  }
  words = pipe;
  google::protobuf::SetLogHandler(&hear);
  std::set_terminate(&terminated);
  static_cast<void>(::dlopen(module, RTLD_NOW | RTLD_LOCAL));
  ::_exit(0);
}

// Everything that comes until the other end is closed. False when that took too long.
bool read_all(int pipe, std::chrono::milliseconds patience, std::string& into) {
  const auto end = std::chrono::steady_clock::now() + patience;
  std::array<char, 1024> buffer{};
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd readable{pipe, POLLIN, 0};
    const int ready = left.count() > 0 ? ::poll(&readable, 1, static_cast<int>(left.count())) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = ::read(pipe, buffer.data(), buffer.size());
    if (got <= 0) return true;
    const auto more = std::string_view(buffer.data(), static_cast<std::size_t>(got));
    into += more.substr(0, said_bytes_max - std::min(into.size(), said_bytes_max));
  }
}

std::string how_it_ended(int status) {
  if (WIFEXITED(status)) return fmt::format("exit code {}", WEXITSTATUS(status));
  return fmt::format("signal {} ({})", WTERMSIG(status), ::sigdescr_np(WTERMSIG(status)));
}

}  // namespace

Trial try_to_load(const std::filesystem::path& module, std::chrono::milliseconds patience) {
  Trial trial;
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return trial;
  const pid_t parent = ::getpid();
  const pid_t copy = ::fork();
  if (copy == 0) {
    ::close(pipe[0]);
    load_in_copy(module.c_str(), pipe[1], parent);
  }
  ::close(pipe[1]);
  const bool answered = copy > 0 && read_all(pipe[0], patience, trial.said);
  ::close(pipe[0]);
  if (copy < 0) return trial;
  if (!answered) ::kill(copy, SIGKILL);
  int status = 0;
  while (::waitpid(copy, &status, 0) < 0 && errno == EINTR) {
  }
  if (!answered) return trial;
  const bool loaded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  trial.outcome = loaded ? Trial::Outcome::loaded : Trial::Outcome::lost;
  if (!loaded) trial.how = how_it_ended(status);
  return trial;
}

}  // namespace cobus::host
