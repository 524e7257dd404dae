// SPDX-License-Identifier: Apache-2.0
//
// cobus up: a broker and some nodes on this host, in the foreground, for trying things out. They are the
// real daemons, as child processes that end with this one.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <vector>

#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "node/link/identity.hpp"

namespace cobus::client {
namespace {

constexpr int ready_patience_ms = 15'000;
constexpr Duration stop_patience = std::chrono::seconds(10);

// Beside this program, else wherever PATH says.
std::string program_path(const std::string& name) {
  std::error_code error;
  const auto beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / name;
  return !error && std::filesystem::exists(beside) ? beside.string() : name;
}

// One daemon that was started here. Ends it when destroyed.
class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), errors_(std::exchange(other.errors_, -1)) {}
  Child& operator=(Child&&) = delete;
  ~Child() { stop(); }

  static Result<Child> start(const std::vector<std::string>& words) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0)
      return fail(Code::unavailable, std::string("pipe: ") + std::strerror(errno));
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    Child child;
    child.pid_ = ::fork();
    if (child.pid_ == 0) {
      // Only async-signal-safe calls up to exec.
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      ::setpgid(0, 0);  // Ctrl-C reaches us alone; we stop them in order
      ::dup2(pipe[1], STDERR_FILENO);
      sigset_t none;
      sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      ::execvp(arguments[0], arguments.data());
      constexpr std::string_view text = "cannot be started: is it installed beside cobus or in PATH?\n";
      [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
      ::_exit(127);
    }
    ::close(pipe[1]);
    child.errors_ = pipe[0];
    if (child.pid_ < 0) return fail(Code::unavailable, std::string("fork: ") + std::strerror(errno));
    return child;
  }

  // The line in which it says that it is ready. UNAVAILABLE with its last words when it ends first.
  Result<std::string> ready(const std::string& name) {
    std::string said;
    for (;;) {
      for (std::size_t end = said.find('\n', from_); end != std::string::npos; end = said.find('\n', from_)) {
        const std::string line = said.substr(from_, end - from_);
        from_ = end + 1;
        if (line.find(" is ready at ") != std::string::npos) return line;
      }
      pollfd waiting{errors_, POLLIN, 0};
      const int some = ::poll(&waiting, 1, ready_patience_ms);
      if (some < 0 && errno == EINTR) continue;
      if (some == 0) return fail(Code::unavailable, name + " is not ready after 15 s");
      std::array<char, 4096> bytes{};
      const ssize_t count = ::read(errors_, bytes.data(), bytes.size());
      if (count <= 0)
        return fail(Code::unavailable,
                    said.empty() ? name + " ended at once" : said.substr(0, said.find_last_not_of('\n') + 1));
      said.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }

  // What it has to say goes on to our stderr. False once it has ended.
  bool pass_on() {
    std::array<char, 4096> bytes{};
    const ssize_t count = ::read(errors_, bytes.data(), bytes.size());
    if (count > 0) [[maybe_unused]]
      const auto written = ::write(STDERR_FILENO, bytes.data(), static_cast<std::size_t>(count));
    return count > 0 || (count < 0 && errno == EINTR);
  }
  [[nodiscard]] int errors() const noexcept { return errors_; }

  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    const TimePoint until = system_clock().now() + stop_patience;
    while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
      if (system_clock().now() > until) ::kill(pid_, SIGKILL);
      ::usleep(2000);
    }
    pid_ = -1;
    ::close(std::exchange(errors_, -1));
  }

 private:
  pid_t pid_ = -1;
  int errors_ = -1;
  std::size_t from_ = 0;
};

void print_next_steps(Context& context, const std::string& state, bool own_state, std::int64_t nodes) {
  const std::string flag = own_state ? " --state " + state : std::string();
  context.console.note(fmt::format("a broker and {} nodes are up; in another terminal, try:", nodes));
  for (const char* line :
       {"nodes", "call echo.Echo/Echo '{\"text\":\"hello\"}'",
        "map text.Text/WordCount --files text /usr/share/common-licenses/*",
        "submit math.Primes/Count '{\"from\":0,\"to\":50000000}' --wait", "tap --count 10"}) {
    context.console.note(fmt::format("  cobus {}{}", line, flag));
  }
  context.console.note("Ctrl-C stops all of them");
}

int run(Context& context) {
  const std::int64_t count = context.arguments.number("nodes").value_or(3);
  const std::string state = link::state_folder(context.globals.text("state")).string();
  const std::string listen =
      context.arguments.has("listen") ? context.arguments.text("listen") : "tcp://127.0.0.1:7700";
  std::array<int, 2> stop_pipe{};
  if (::pipe2(stop_pipe.data(), O_CLOEXEC) != 0)
    return fail_setup(context, Status(Code::unavailable, "no pipe"));
  int stopped_by = 0;
  context.interrupts.catch_first([&stopped_by, end = stop_pipe[1]](int signal) {
    stopped_by = signal;
    [[maybe_unused]] const auto written = ::write(end, "x", 1);
  });

  std::vector<Child> children;  // the broker first; stopped last to first
  const auto add = [&](const std::string& name, const std::vector<std::string>& words) -> Status {
    Result<Child> child = Child::start(words);
    if (!child) return child.error();
    children.push_back(std::move(*child));
    const Result<std::string> line = children.back().ready(name);
    if (!line) return line.error();
    context.console.note(*line);
    return {};
  };
  Status status = add("cobus-broker", {program_path("cobus-broker"), "--state", state, "--listen", listen,
                                       "--log-format", "text", "--log-level", "warn"});
  for (std::int64_t i = 1; i <= count && status.ok(); ++i) {
    const std::string name = "node-" + std::to_string(i);
    status = add(name, {program_path("cobus-node"), "--state", state, "--name", name, "--log-format", "text",
                        "--log-level", "warn"});
  }
  int code = 0;
  if (!status.ok()) {
    code = fail_setup(context, status);
  } else {
    print_next_steps(context, state, context.globals.has("state"), count);
    for (bool going = true; going;) {
      std::vector<pollfd> waiting{{stop_pipe[0], POLLIN, 0}};
      for (const Child& child : children) waiting.push_back({child.errors(), POLLIN, 0});
      if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
      if (waiting[0].revents != 0) break;
      for (std::size_t i = 0; i < children.size(); ++i) {
        if (waiting[i + 1].revents == 0 || children[i].pass_on()) continue;
        code = fail_setup(context, Status(Code::unavailable,
                                          i == 0 ? "the broker ended" : fmt::format("node-{} ended", i)));
        going = false;
      }
    }
  }
  context.console.note("stopping");
  while (!children.empty()) children.pop_back();
  context.interrupts.catch_first({});
  for (const int end : stop_pipe) ::close(end);
  return code;
}

}  // namespace

Command up_command() {
  using Kind = Flag::Kind;
  return {"up",
          "start a broker and nodes on this host, for trying things out",
          "They run until Ctrl-C. The state folder keeps keys and jobs for the next time.",
          {},
          {{"nodes", "", Kind::number, "N", "how many nodes (3)", 1, 64},
           {"listen", "", Kind::text, "ADDR", "where the broker listens (tcp://127.0.0.1:7700)", 0, 0}},
          {{"cobus up", "a broker and three nodes"},
           {"cobus up --nodes 5 --state ./trial", "five, with their state here"}},
          &run};
}

}  // namespace cobus::client
