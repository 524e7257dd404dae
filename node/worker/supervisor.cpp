// SPDX-License-Identifier: Apache-2.0
#include "node/worker/supervisor.hpp"

#include <cobus/v1/worker.pb.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <optional>

#include "node/worker/exit_reason.hpp"
#include "node/worker/node.hpp"
#include "node/worker/spawn.hpp"
#include "node/worker/supervisor_face.hpp"

namespace cobus {
namespace {

Status reason_of(const v1::Exit& exit) {
  return exit.has_reason() ? Status(static_cast<Code>(exit.reason().code()), exit.reason().message())
                           : Status();
}
Address sender_of(const v1::Exit& exit) { return Address{NodeId{exit.node()}, WorkerId{exit.worker()}}; }

struct Child {
  const ChildSpec* spec;
  std::string argument;
  Address address;            // empty: it does not run
  TimePoint restart = never;  // when it is started again
  bool over = false;          // it has ended for good
  std::uint64_t restarts = 0;
};

std::string_view strategy_name(Strategy strategy) noexcept {
  switch (strategy) {
    case Strategy::one_for_one:
      return "one_for_one";
    case Strategy::one_for_all:
      return "one_for_all";
    case Strategy::rest_for_one:
      return "rest_for_one";
    case Strategy::simple_one_for_one:
      return "simple_one_for_one";
  }
  return "";
}

class Supervisor final : SupervisorFace {
 public:
  Supervisor(Self self, SupervisorSpec spec) : self_(self), spec_(std::move(spec)) {
    self_.worker().bonded().supervisor = this;
  }
  ~Supervisor() { self_.worker().bonded().supervisor = nullptr; }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  Task<> run();

 private:
  [[nodiscard]] TimePoint now() const { return self_.worker().shard->clock().now(); }
  [[nodiscard]] bool dynamic() const noexcept { return spec_.strategy == Strategy::simple_one_for_one; }
  [[nodiscard]] Task<Status> start(std::size_t index);
  Task<> start_all();
  Task<> start_due();
  [[nodiscard]] TimePoint next_restart() const;
  // children_.size() when it is none of them.
  [[nodiscard]] std::size_t index_of(const Address& address) const;
  Task<> child_ended(std::size_t index, Status reason);
  void plan_restart(std::size_t index, const Status& reason);
  [[nodiscard]] Duration backoff();
  void gone_for_good(Child& child);
  Task<> stop_along(std::size_t index);
  Task<> stop_from(std::size_t first);
  Task<> stop(std::size_t index);
  Task<> start_dynamic(Address from, v1::StartChild request);
  void exit_arrived(const v1::Exit& exit);
  [[nodiscard]] Shown shown() const noexcept override {
    return {strategy_name(spec_.strategy), spec_.intensity, spec_.period, restarts_ever_};
  }
  void each_child(const std::function<void(const ShownChild&)>& visit) const override {
    for (const auto& child : children_) visit({child.spec->id, child.address, child.restarts});
  }

  Self self_;
  const SupervisorSpec spec_;
  std::deque<Child> children_;
  std::deque<TimePoint> restarts_;  // within the period
  std::uint64_t restarts_ever_ = 0;
  std::deque<std::pair<Address, Status>> ended_;  // exits that are not dealt with yet
  std::optional<Status> end_;                     // the reason to end with, once that is decided
};

Task<Status> Supervisor::start(std::size_t index) {
  children_[index].restart = never;
  Status failed;
  try {
    Result<Address> started = co_await children_[index].spec->start(self_, children_[index].argument);
    if (started) {
      children_[index].address = *started;
      co_return Status();
    }
    failed = std::move(started).error();
  } catch (const std::exception& error) {
    failed = exit_reason::crash(error.what());
  } catch (...) {
    failed = exit_reason::crash("it threw something that is not a std::exception");
  }
  if (self_.stop_requested()) end_ = exit_reason::shutdown();
  co_return failed;
}

Task<> Supervisor::start_all() {
  if (dynamic()) co_return;
  for (const ChildSpec& spec : spec_.children) {
    children_.push_back(Child{.spec = &spec, .argument = {}, .address = {}});
    const Status started = co_await start(children_.size() - 1);
    if (started.ok()) continue;
    if (!end_)
      end_ =
          exit_reason::shutdown(fmt::format("child {} could not be started: {}", spec.id, started.message()));
    co_return;
  }
}

std::size_t Supervisor::index_of(const Address& address) const {
  const auto found = std::find_if(children_.begin(), children_.end(),
                                  [&](const Child& child) { return child.address == address; });
  return static_cast<std::size_t>(found - children_.begin());
}

TimePoint Supervisor::next_restart() const {
  TimePoint next = never;
  for (const Child& child : children_) next = std::min(next, child.restart);
  return next;
}

// Twice as long for each restart that is still within the period; with jitter, so that many supervisors whose
// children depend on one thing do not come back at once.
Duration Supervisor::backoff() {
  if (spec_.backoff_first <= Duration(0)) return Duration(0);
  const std::size_t doublings = std::min<std::size_t>(restarts_.size() - 1, 30);
  const Duration longest = spec_.backoff_first > spec_.backoff_max / (std::int64_t{1} << doublings)
                               ? spec_.backoff_max
                               : spec_.backoff_first * (std::int64_t{1} << doublings);
  const auto half = static_cast<std::uint64_t>(longest.count() / 2);
  return Duration(static_cast<std::int64_t>(half + self_.node().random().below(half + 1)));
}

void Supervisor::plan_restart(std::size_t index, const Status& reason) {
  const TimePoint present = now();
  while (!restarts_.empty() && restarts_.front() + spec_.period <= present) restarts_.pop_front();
  restarts_.push_back(present);
  const std::string& id = children_[index].spec->id;
  if (restarts_.size() > spec_.intensity) {
    end_ = exit_reason::shutdown(fmt::format(
        "more than {} restarts in {} ms, the last of child {}: {}", spec_.intensity,
        std::chrono::duration_cast<std::chrono::milliseconds>(spec_.period).count(), id, reason.to_string()));
    return;
  }
  spdlog::info("supervisor {}: child {} ended ({}: {}) and is started again", to_string(self_.address()), id,
               exit_reason::name(reason), reason.message());
  ++restarts_ever_;
  const TimePoint when = present + backoff();
  children_[index].restart = when;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const bool goes_along =
        (spec_.strategy == Strategy::one_for_all) || (spec_.strategy == Strategy::rest_for_one && i > index);
    if (i == index || !goes_along || children_[i].over) continue;
    children_[i].restart = when;
    // It was stopped along, and its kind never comes back.
    if (children_[i].spec->restart == Restart::temporary) {
      children_[i].restart = never;
      children_[i].over = true;
    }
  }
}

void Supervisor::gone_for_good(Child& child) {
  child.over = true;
  if (!child.spec->significant || spec_.auto_shutdown == AutoShutdown::never) return;
  const bool all = std::all_of(children_.begin(), children_.end(),
                               [](const Child& other) { return !other.spec->significant || other.over; });
  if (spec_.auto_shutdown == AutoShutdown::any_significant || all)
    end_ = exit_reason::shutdown("its significant children have ended");
}

Task<> Supervisor::child_ended(std::size_t index, Status reason) {
  Child& child = children_[index];
  child.address = {};
  const Restart restart = child.spec->restart;
  if (restart == Restart::temporary || (restart == Restart::transient && !exit_reason::abnormal(reason))) {
    gone_for_good(child);
    if (dynamic()) children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(index));
    co_return;
  }
  co_await stop_along(index);
  if (!end_) plan_restart(index, reason);
}

// Those that the strategy starts again with the child.
Task<> Supervisor::stop_along(std::size_t index) {
  if (spec_.strategy == Strategy::one_for_all) co_await stop_from(0);
  if (spec_.strategy == Strategy::rest_for_one) co_await stop_from(index + 1);
}

// Ends the children from `first` on, the last one first, and waits until each has.
Task<> Supervisor::stop_from(std::size_t first) {
  for (std::size_t index = children_.size(); index-- > first;) co_await stop(index);
}

Task<> Supervisor::stop(std::size_t index) {
  children_[index].restart = never;
  if (!children_[index].address) co_return;
  const Address target = children_[index].address;
  const Duration grace = children_[index].spec->shutdown;
  if (grace == Duration(0)) {
    self_.exit(target, exit_reason::kill("stopped by its supervisor"));
  } else {
    self_.exit(target, exit_reason::shutdown("stopped by its supervisor"));
  }
  // Also one that is no longer linked to us tells when it has ended.
  const MonitorRef monitor = self_.monitor(target);
  TimePoint kill_at = grace <= Duration(0) ? never : deadline_after(now(), grace);
  const auto has_ended = [this, &target] {
    const auto its = [&](const auto& entry) { return entry.first == target; };
    return std::erase_if(ended_, its) != 0;
  };
  while (!has_ended()) {
    auto news = co_await self_.receive_uncancelled<v1::Exit, v1::Down>(
        kill_at == never ? Duration(-1) : std::max(kill_at - now(), Duration(0)));
    if (!news) {
      self_.exit(target, exit_reason::kill("did not end in the time that its supervisor gave it"));
      kill_at = never;
    } else if (const auto* exit = news->as<v1::Exit>()) {
      exit_arrived(*exit);
    } else if (news->as<v1::Down>()->monitor() == static_cast<std::uint64_t>(monitor)) {
      self_.unlink(target);
      break;
    }
  }
  self_.demonitor(monitor);
  // Its exit may be right behind its Down.
  while (auto exit = self_.try_receive<v1::Exit>()) exit_arrived(**exit);
  static_cast<void>(has_ended());
  children_[index].address = {};
}

Task<> Supervisor::start_due() {
  const TimePoint present = now();
  for (std::size_t index = 0; index < children_.size() && !end_; ++index) {
    if (children_[index].restart > present || children_[index].restart == never) continue;
    ++children_[index].restarts;
    const Status started = co_await start(index);
    if (started.ok()) continue;
    // Those that run already come again with it, or there would be two of them.
    if (!end_) co_await stop_along(index);
    if (!end_) plan_restart(index, started);
    co_return;
  }
}

Task<> Supervisor::start_dynamic(Address from, v1::StartChild request) {
  v1::ChildStarted answer;
  answer.set_request(request.request());
  Status started(Code::failed_precondition,
                 "only a supervisor of strategy simple_one_for_one starts children on request");
  if (dynamic() && !spec_.children.empty()) {
    children_.push_back(
        Child{.spec = &spec_.children.front(), .argument = request.argument(), .address = {}});
    started = co_await start(children_.size() - 1);
    if (started.ok()) {
      answer.set_node(static_cast<std::uint64_t>(children_.back().address.node));
      answer.set_worker(children_.back().address.worker.value);
    } else {
      children_.pop_back();
    }
  }
  if (!started.ok()) {
    answer.mutable_error()->set_code(static_cast<int>(started.code()));
    answer.mutable_error()->set_message(started.message());
  }
  static_cast<void>(self_.try_send(from, std::move(answer)));
}

// A child has ended, or somebody else wants the supervisor to end.
void Supervisor::exit_arrived(const v1::Exit& exit) {
  if (index_of(sender_of(exit)) < children_.size()) {
    ended_.emplace_back(sender_of(exit), reason_of(exit));
  } else if (Status reason = reason_of(exit); !reason.ok()) {
    end_ = std::move(reason);
  }
}

Task<> Supervisor::run() {
  self_.trap_exits(true);
  co_await start_all();
  while (!end_) {
    while (!end_ && !ended_.empty()) {
      auto [address, reason] = std::move(ended_.front());
      ended_.pop_front();
      if (const std::size_t index = index_of(address); index < children_.size())
        co_await child_ended(index, std::move(reason));
    }
    co_await start_due();
    if (end_) break;
    if (!ended_.empty()) continue;
    const TimePoint next = next_restart();
    const Duration wait = next == never ? Duration(-1) : std::max(next - now(), Duration(0));
    auto news = co_await self_.receive<v1::Exit, v1::StartChild>(wait);
    if (!news) {
      if (news.error().code() == Code::cancelled) end_ = exit_reason::shutdown();
      continue;
    }
    if (const auto* exit = news->as<v1::Exit>()) {
      exit_arrived(*exit);
    } else {
      co_await start_dynamic(news->from(), std::move(*news->as<v1::StartChild>()));
    }
  }
  co_await stop_from(0);
  self_.end_with(*std::move(end_));
}

// A node that is lost may be chosen for a moment more; three are tried.
Task<Result<Address>> start_at_some_node(Self supervisor, std::string kind, std::string argument) {
  constexpr int tries = 3;
  for (int left = tries;; --left) {
    const Result<Spawned> spawned =
        co_await spawn_encoded(supervisor, NodeId::none, kind, argument, SpawnOptions{.link = true});
    if (spawned) co_return spawned->address;
    if (left == 1 || spawned.error().code() != Code::unavailable) co_return fail(spawned.error());
  }
}

}  // namespace

ChildStart start_anywhere(std::string kind, std::string encoded_argument) {
  return [kind, encoded_argument](Self supervisor, const std::string& argument) {
    return start_at_some_node(supervisor, kind, argument.empty() ? encoded_argument : argument);
  };
}

Task<> supervise(Self self, SupervisorSpec spec) {
  Supervisor supervisor(self, std::move(spec));
  co_await supervisor.run();
}

}  // namespace cobus
