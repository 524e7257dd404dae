// SPDX-License-Identifier: Apache-2.0
//
// cobus up: a broker and some nodes on this host, in the foreground, for trying things out. They are the
// real daemons, as child processes that end with this one.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "client/cli/child_process.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "node/link/identity.hpp"
#include "node/link/state_folder_check.hpp"

namespace cobus::client {
namespace {

constexpr Duration ready_patience = std::chrono::seconds(15);

// Beside this program, else wherever PATH says.
std::string program_path(const std::string& name) {
  std::error_code error;
  const auto beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / name;
  return !error && std::filesystem::exists(beside, error) ? beside.string() : name;
}

// For a shell.
std::string quoted(const std::string& word) {
  if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=+@") ==
      std::string::npos) {
    return word;
  }
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

// Turns the first signal into something that poll() sees.
class StopPipe {
 public:
  explicit StopPipe(Interrupts& interrupts) : interrupts_(interrupts) {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) ends_ = {-1, -1};
    interrupts_.catch_first(
        [end = ends_[1]](int) { [[maybe_unused]] const auto written = ::write(end, "x", 1); });
  }
  ~StopPipe() {
    interrupts_.catch_first({});
    for (const int end : ends_) ::close(end);
  }
  StopPipe(const StopPipe&) = delete;
  StopPipe& operator=(const StopPipe&) = delete;
  [[nodiscard]] int descriptor() const noexcept { return ends_[0]; }
  [[nodiscard]] bool stopped() const {
    pollfd asked{ends_[0], POLLIN, 0};
    return ::poll(&asked, 1, 0) > 0;
  }

 private:
  Interrupts& interrupts_;
  std::array<int, 2> ends_{};
};

void pass_on(Context& context, ChildProcess& child) {
  for (const std::string& line : child.take_said())
    context.console.note(printable(child.name() + ": " + line));
}

Status start_one(Context& context, std::vector<ChildProcess>& children, const std::string& name,
                 std::vector<std::string> words) {
  words.insert(words.end(), {"--log-format", "text", "--log-level", "warn"});
  auto child = ChildProcess::start(name, words);
  if (!child) return child.error();
  children.push_back(std::move(*child));
  const auto line = children.back().wait_for_line(" is ready at ", ready_patience);
  if (!line) return {line.error().code(), fmt::format("{} did not start: {}", name, line.error().message())};
  // "... is ready at ADDRESS; ...": what else it says is for those who started it by hand.
  context.console.note(line->substr(0, line->find(';')));
  pass_on(context, children.back());
  return {};
}

void print_next_steps(Context& context, const std::string& state, std::int64_t nodes) {
  const char* variable = std::getenv("COBUS_STATE");
  const bool own_state = context.globals.has("state") || (variable != nullptr && *variable != '\0');
  const std::string flag = own_state ? " --state " + quoted(state) : std::string();
  context.console.note(
      fmt::format("A broker and {} node{} are up. In another terminal, try:", nodes, nodes == 1 ? "" : "s"));
  for (const char* line :
       {"nodes", "call echo.Echo/Echo '{\"text\":\"hello\"}'",
        "map text.Text/WordCount --files text /usr/share/common-licenses/*",
        "submit math.Primes/Count '{\"from\":0,\"to\":50000000}' --wait", "tap --count 10"}) {
    context.console.note(fmt::format("  cobus {}{}", line, flag));
  }
  context.console.note("Ctrl-C stops all of them.");
}

// Until somebody wants it stopped (ok) or a daemon ends (UNAVAILABLE).
Status watch(Context& context, std::vector<ChildProcess>& children, const StopPipe& stop) {
  for (;;) {
    std::vector<pollfd> waiting{{stop.descriptor(), POLLIN, 0}};
    for (const ChildProcess& child : children) waiting.push_back({child.descriptor(), POLLIN, 0});
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) {
      return {Code::internal, "cannot wait for the daemons"};
    }
    if (waiting[0].revents != 0) return {};
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (waiting[i + 1].revents == 0) continue;
      const bool lives = children[i].read_more();
      pass_on(context, children[i]);
      if (!lives) return {Code::unavailable, children[i].name() + " ended by itself; stopping the others"};
    }
  }
}

int run(Context& context) {
  const std::int64_t count = context.arguments.number("nodes").value_or(3);
  if (const Status checked = link::check_state_folder(context.globals.text("state")); !checked.ok())
    return fail_setup(context, checked);
  const std::string state =
      std::filesystem::absolute(link::state_folder(context.globals.text("state"))).string();
  const std::string listen =
      context.arguments.has("listen") ? context.arguments.text("listen") : "tcp://127.0.0.1:7700";
  std::vector<std::string> services;
  for (const std::string& file : context.arguments.list("service"))
    services.insert(services.end(), {"--service", std::filesystem::absolute(file).string()});
  const StopPipe stop(context.interrupts);
  std::vector<ChildProcess> children;  // the broker first; stopped last to first
  Status status = start_one(context, children, "cobus-broker",
                            {program_path("cobus-broker"), "--state", state, "--listen", listen});
  for (std::int64_t i = 1; i <= count && status.ok() && !stop.stopped(); ++i) {
    const std::string name = "n" + std::to_string(i);
    std::vector<std::string> words = {program_path("cobus-node"), "--state", state, "--name", name};
    words.insert(words.end(), services.begin(), services.end());
    status = start_one(context, children, name, std::move(words));
  }
  if (status.ok() && !stop.stopped()) {
    print_next_steps(context, state, count);
    status = watch(context, children, stop);
  }
  int code = 0;
  if (!status.ok()) {
    context.console.error(status.message());
    code = join_exit_code(status);  // there is no cluster
  }
  if (children.size() > 1 || status.ok()) context.console.note("stopping");
  while (!children.empty()) children.pop_back();
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
           {"listen", "", Kind::text, "ADDR", "where the broker listens (tcp://127.0.0.1:7700)"},
           {"service", "", Kind::text, "FILE.so", "a module that each node loads; may be repeated"}},
          {{"cobus up", "a broker and three nodes"},
           {"cobus up --nodes 5 --state ./trial", "five, with their state here"},
           {"cobus up --service ./libgreet.so", "nodes that offer your own service as well"}},
          &run};
}

}  // namespace cobus::client
