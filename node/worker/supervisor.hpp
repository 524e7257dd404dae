// SPDX-License-Identifier: Apache-2.0
//
// Supervisor: a worker that starts others, notices when one ends, and starts it again, with the strategies of
// Erlang/OTP. Children that end too often in too short a time end the supervisor too, so that whoever
// supervises it decides. Spawn it as any worker:
//   self.spawn_link("my.supervisor", &supervise, spec);
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "node/runtime/task.hpp"
#include "node/worker/self.hpp"

namespace cobus {

// Whether a child that ended by itself is started again.
enum class Restart : std::uint8_t {
  permanent,  // always
  transient,  // after an abnormal end
  temporary,  // never
};

// Which others go with a child that is started again.
enum class Strategy : std::uint8_t {
  one_for_one,   // none
  one_for_all,   // all
  rest_for_one,  // those started after it
  // None; children are of one kind and come by v1::StartChild. The first of `children` says how.
  simple_one_for_one,
};

// When the supervisor ends with `shutdown` because its work is done.
enum class AutoShutdown : std::uint8_t {
  never,
  any_significant,  // when one significant child has ended for good
  all_significant,  // when the last of them has
};

// How a child is started and linked to its supervisor: a function of the supervisor's Self and the argument
// that came with v1::StartChild (empty otherwise). It gives the child's address, as Self::spawn_link does, or
// is a Task<Result<Address>> when that takes time. An error, or what it throws, is a failed start.
class ChildStart {
 public:
  ChildStart() = default;
  template <class Function>
    requires std::is_invocable_r_v<Address, Function&, Self, const std::string&>
  ChildStart(Function function)  // NOLINT(google-explicit-constructor): a spec is written with a lambda
      : start_([function](Self supervisor, std::string argument) {
          return at_once<Function>(function, supervisor, std::move(argument));
        }) {}
  template <class Function>
    requires std::is_same_v<std::invoke_result_t<Function&, Self, std::string>, Task<Result<Address>>>
  ChildStart(Function function)  // NOLINT(google-explicit-constructor): the same
      : start_([function](Self supervisor, std::string argument) {
          return in_time<Function>(function, supervisor, std::move(argument));
        }) {}
  [[nodiscard]] Task<Result<Address>> operator()(Self supervisor, std::string argument) const {
    return start_(supervisor, std::move(argument));
  }

 private:
  template <class Function>
  static Task<Result<Address>> at_once(Function function, Self supervisor, std::string argument) {
    co_return function(supervisor, argument);
  }
  // Keeps the function until its task has ended: it may be a lambda with captures that is a coroutine.
  template <class Function>
  static Task<Result<Address>> in_time(Function function, Self supervisor, std::string argument) {
    co_return co_await function(supervisor, std::move(argument));
  }
  std::function<Task<Result<Address>>(Self, std::string)> start_;
};

// Starts a worker of `kind` (kind.hpp) on a node that makes such workers, another one if the first cannot be
// reached. Started again after its node was lost, it so comes back elsewhere.
[[nodiscard]] ChildStart start_anywhere(std::string kind, std::string encoded_argument);
template <ProtobufMessage Argument>
[[nodiscard]] ChildStart start_anywhere(std::string kind, const Argument& argument) {
  return start_anywhere(std::move(kind), argument.SerializeAsString());
}

struct ChildSpec {
  std::string id;  // for reports
  ChildStart start;
  Restart restart = Restart::permanent;
  // What it gets to end by itself when it is stopped; then it is killed. 0: killed at once. Negative: for
  // ever, for children that are supervisors.
  Duration shutdown = std::chrono::seconds(5);
  bool significant = false;
};

struct SupervisorSpec {
  Strategy strategy = Strategy::one_for_one;
  // More than `intensity` restarts within `period` end the supervisor.
  unsigned intensity = 1;
  Duration period = std::chrono::seconds(5);
  AutoShutdown auto_shutdown = AutoShutdown::never;
  // The wait before a restart: `backoff_first`, twice as long for each further restart within the period, up
  // to `backoff_max`, each drawn between half of that and all of it. 0: at once.
  Duration backoff_first{0};
  Duration backoff_max = std::chrono::seconds(10);
  std::vector<ChildSpec> children;  // started in this order, stopped in reverse
};

// The supervisor's coroutine. It ends with the reason `shutdown` when a child could not be started at first,
// when the intensity was exceeded (the message says which child), by auto_shutdown, or when it is asked to
// stop; with the reason of an exit that it was sent otherwise. All children have ended before it does.
Task<> supervise(Self self, SupervisorSpec spec);

}  // namespace cobus
