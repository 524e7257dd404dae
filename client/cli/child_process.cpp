// SPDX-License-Identifier: Apache-2.0
#include "client/cli/child_process.hpp"

#include "node/runtime/exit_code.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

namespace cobus::client {
namespace {

constexpr Duration stop_patience = std::chrono::seconds(10);
constexpr Duration look_again = std::chrono::milliseconds(5);
constexpr int exit_not_started = 127;

std::unexpected<Status> unavailable(const char* what) {
  return fail(Code::unavailable, fmt::format("{}: {}", what, std::strerror(errno)));
}

// In the child, up to exec: async-signal-safe calls only, since other threads held locks when it was made.
[[noreturn]] void become(char* const* words, pid_t parent, int stderr_end) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(exit_not_started);  // it died before that took effect
  ::setpgid(0, 0);  // Ctrl-C reaches the parent alone, which stops us in order
  ::dup2(stderr_end, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvp(words[0], words);
  for (const char* text : {static_cast<const char*>(words[0]),
                           " cannot be started; is it installed beside cobus or in PATH?\n"}) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
  }
  ::_exit(exit_not_started);
}

}  // namespace

Result<ChildProcess> ChildProcess::start(std::string name, const std::vector<std::string>& words) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return unavailable("cannot make a pipe");
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(arguments.data(), parent, pipe[1]);
  ::close(pipe[1]);
  if (pid < 0) {
    const auto failed = unavailable("cannot start a process");
    ::close(pipe[0]);
    return failed;
  }
  return ChildProcess(std::move(name), pid, pipe[0]);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : name_(std::move(other.name_)),
      pid_(std::exchange(other.pid_, -1)),
      stderr_(std::exchange(other.stderr_, -1)),
      said_(std::move(other.said_)) {}

bool ChildProcess::read_more() {
  std::array<char, 4096> bytes{};
  const ssize_t count = ::read(stderr_, bytes.data(), bytes.size());
  if (count > 0) said_.append(bytes.data(), static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

std::vector<std::string> ChildProcess::take_said() {
  std::vector<std::string> lines;
  std::size_t from = 0;
  for (std::size_t end = 0; (end = said_.find('\n', from)) != std::string::npos; from = end + 1) {
    lines.push_back(said_.substr(from, end - from));
  }
  said_.erase(0, from);
  return lines;
}

Result<std::string> ChildProcess::wait_for_line(std::string_view phrase, Duration patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const std::size_t found = said_.find(phrase);
    const std::size_t end = found == std::string::npos ? found : said_.find('\n', found);
    if (end != std::string::npos) {
      const std::size_t before = said_.rfind('\n', found);
      const std::size_t begin = before == std::string::npos ? 0 : before + 1;
      std::string line = said_.substr(begin, end - begin);
      said_.erase(begin, end + 1 - begin);
      return line;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd waiting{stderr_, POLLIN, 0};
    const int some = ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (some < 0 && errno == EINTR) continue;
    if (some <= 0) return fail(Code::unavailable, name_ + " is not ready in time");
    if (read_more()) continue;
    return fail(last_words());
  }
}

Status ChildProcess::last_words() {
  const std::vector<std::string> lines = take_said();
  int ended = 0;
  Code code = Code::unavailable;
  if (::waitpid(std::exchange(pid_, -1), &ended, 0) > 0 && WIFEXITED(ended))
    code = code_of_exit(WEXITSTATUS(ended));
  ::close(std::exchange(stderr_, -1));
  if (lines.empty()) return {code, name_ + " ended at once"};
  // "cobus-node: no room": who says it is told by whoever asked.
  const std::string& words = lines.back();
  const std::size_t colon = words.starts_with("cobus-") ? words.find(": ") : std::string::npos;
  return {code, colon == std::string::npos ? words : words.substr(colon + 2)};
}

void ChildProcess::stop() noexcept {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  const auto until = std::chrono::steady_clock::now() + stop_patience;
  while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > until) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(look_again);
  }
  pid_ = -1;
  ::close(std::exchange(stderr_, -1));
}

}  // namespace cobus::client
