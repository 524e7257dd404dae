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

struct ChildSpec {
  std::string id;  // for reports
  // Spawns the child and links it to the supervisor: Self::spawn_link. What it throws is a failed start.
  // `argument` is that of v1::StartChild, and empty otherwise.
  std::function<Address(Self supervisor, const std::string& argument)> start;
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
