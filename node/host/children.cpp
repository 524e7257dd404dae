// SPDX-License-Identifier: Apache-2.0
#include "node/host/children.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>

namespace cobus::host {
namespace {

// What the kernel gets to end a process that was killed; one that hangs in a device may take for ever.
constexpr Duration killed_patience = std::chrono::seconds(5);

std::string in_seconds(Duration time) {
  return fmt::format("{:.1f} s", std::chrono::duration<double>(time).count());
}

}  // namespace

Result<std::unique_ptr<Children>> Children::start(std::vector<ChildCommand> commands) {
  const int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) {
    return fail(Code::resource_exhausted, fmt::format("no descriptor to watch children with: {}; let this "
                                                      "process open more files (ulimit -n)",
                                                      std::strerror(errno)));
  }
  std::unique_ptr<Children> children(new Children(std::move(commands), wake));
  children->thread_ = std::thread([all = children.get()] { all->run(); });
  pthread_setname_np(children->thread_.native_handle(), "cobus-children");
  return children;
}

Children::Children(std::vector<ChildCommand> commands, int wake) : wake_(wake) {
  for (ChildCommand& command : commands) children_.emplace_back(std::move(command), system_random());
}

Children::~Children() {
  ask_to_stop(Duration(0));
  join();
  ::close(wake_);
}

void Children::ask_to_stop(Duration patience) {
  const std::scoped_lock lock(mutex_);
  if (stop_patience_) return;
  stop_patience_ = patience;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
}

void Children::join() {
  if (thread_.joinable()) thread_.join();
}

void Children::run() {
  const auto asked_to_stop = [this] {
    const std::scoped_lock lock(mutex_);
    return stop_patience_.has_value();
  };
  while (!asked_to_stop()) {
    start_due(system_clock().now());
    wait(next_start(), true);
    look(system_clock().now(), asked_to_stop());
  }
  end_all();
}

void Children::end_all() {
  Duration patience{};
  {
    const std::scoped_lock lock(mutex_);
    patience = *stop_patience_;
  }
  for (Child& child : children_) {
    if (child.process) child.process->send(SIGTERM);
  }
  const TimePoint until = deadline_after(system_clock().now(), patience);
  while (any_runs() && system_clock().now() < until) {
    wait(until, false);
    look(system_clock().now(), true);
  }
  for (Child& child : children_) {
    if (!child.process) continue;
    spdlog::warn("child {} (process {}) has not ended {} after it was asked to: it is killed",
                 child.command.name, child.process->id(), in_seconds(patience));
    child.process->send(SIGKILL);
  }
  const TimePoint give_up = system_clock().now() + killed_patience;
  while (any_runs() && system_clock().now() < give_up) {
    wait(give_up, false);
    look(system_clock().now(), true);
  }
  for (Child& child : children_) {
    if (!child.process) continue;
    spdlog::critical("child {} (process {}) was killed and does not end; it is left behind",
                     child.command.name, child.process->id());
    child.process->leave();
  }
}

void Children::start_due(TimePoint now) {
  for (Child& child : children_) {
    if (!child.process && child.start_at <= now) start_one(child, now);
  }
}

void Children::start_one(Child& child, TimePoint now) {
  Result<ChildProcess> process = ChildProcess::start(child.command);
  if (!process) {
    tell_end(child, process.error().message(), now);
    return;
  }
  child.process.emplace(std::move(*process));
  child.restarts.started(now);
  if (child.say) spdlog::info("child {} is process {}", child.command.name, child.process->id());
}

void Children::look(TimePoint now, bool stopping) {
  for (Child& child : children_) {
    if (!child.process) continue;
    const std::optional<std::string> how = child.process->reap();
    if (!how) continue;
    if (stopping) {
      spdlog::debug("child {} ended with {}", child.command.name, *how);
    } else {
      tell_end(child, "it ended with " + *how, now);
    }
    child.process.reset();
  }
}

void Children::tell_end(Child& child, const std::string& cause, TimePoint now) {
  const Restarts::Verdict verdict = child.restarts.ended(cause, now);
  child.start_at = now + verdict.wait;
  child.say = verdict.say;
  if (!verdict.say) return;
  const std::string unsaid =
      verdict.unsaid == 0 ? "" : fmt::format(", and {} more times since this was last said", verdict.unsaid);
  spdlog::warn("child {}: {}{}; it is started again in {}", child.command.name, cause, unsaid,
               in_seconds(verdict.wait));
}

void Children::wait(TimePoint until, bool wakes) {
  std::vector<pollfd> waiting;
  if (wakes) waiting.push_back({wake_, POLLIN, 0});
  for (const Child& child : children_) {
    if (child.process) waiting.push_back({child.process->descriptor(), POLLIN, 0});
  }
  int timeout_ms = -1;
  if (until != never) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - system_clock().now()).count();
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
  }
  ::poll(waiting.data(), waiting.size(), timeout_ms);  // whatever it says, the caller looks
}

bool Children::any_runs() const {
  return std::any_of(children_.begin(), children_.end(),
                     [](const Child& child) { return child.process.has_value(); });
}

TimePoint Children::next_start() const {
  TimePoint next = never;
  for (const Child& child : children_) {
    if (!child.process) next = std::min(next, child.start_at);
  }
  return next;
}

}  // namespace cobus::host
