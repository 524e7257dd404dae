// SPDX-License-Identifier: Apache-2.0
//
// Restarts: when a child process that ended is started again, and whether its end is worth a line of the log.
// One for each child, owned by Children and used on its thread. No I/O, no clock: the caller passes `now`.
#pragma once

#include <string>

#include "node/runtime/clock.hpp"
#include "node/runtime/random.hpp"
#include "node/runtime/reminder.hpp"

namespace cobus::host {

// The wait before a restart doubles from the first to the most, each drawn between half of that and all of
// it.
inline constexpr Duration restart_wait_first = std::chrono::milliseconds(100);
inline constexpr Duration restart_wait_most = std::chrono::seconds(10);
// After this long a child counts as sound, and its next end as the first one.
inline constexpr Duration sound_after = std::chrono::seconds(30);
// How often the same end is said of a child that comes to it again and again.
inline constexpr Duration say_end_again = std::chrono::seconds(60);

class Restarts {
 public:
  struct Verdict {
    Duration wait{};      // until the next start
    bool say = false;     // whether to log this end
    unsigned unsaid = 0;  // with `say`: how many such ends were not logged since the last one that was
  };

  explicit Restarts(Random& random) noexcept : random_(random) {}

  void started(TimePoint now) noexcept;
  // It ended at `now`, or could not be started, for the reason `cause`.
  [[nodiscard]] Verdict ended(const std::string& cause, TimePoint now);

 private:
  Random& random_;
  Reminder reminder_{say_end_again};
  bool runs_ = false;
  TimePoint started_at_{};
  Duration wait_ = restart_wait_first;  // before the next restart, undrawn
  unsigned unsaid_ = 0;
};

}  // namespace cobus::host
