// SPDX-License-Identifier: Apache-2.0
//
// Clock: where time comes from. Deadlines, leases and timers use the monotonic time; the wall
// clock is only shown and stored. A seam: the simulator supplies its own.
#pragma once

#include <chrono>
#include <cstdint>

namespace cobus {

using Duration = std::chrono::nanoseconds;

// A point on the monotonic clock of this process.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// "No deadline".
inline constexpr TimePoint never = TimePoint::max();

// When a wait of `timeout` ends: `never` for a negative one, and for one that goes beyond all time.
[[nodiscard]] constexpr TimePoint deadline_after(TimePoint now, Duration timeout) noexcept {
  return timeout < Duration(0) || timeout > never - now ? never : now + timeout;
}

class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back. Any thread.
  [[nodiscard]] virtual TimePoint now() const noexcept = 0;
  // The same, behind by some milliseconds at most, for a quarter of the price. Any thread.
  [[nodiscard]] virtual TimePoint coarse_now() const noexcept { return now(); }
  // Microseconds since the Unix epoch. May jump. Any thread.
  [[nodiscard]] virtual std::int64_t unix_us() const noexcept = 0;
};

// The operating system's clocks. One object for the process; never destroyed.
[[nodiscard]] const Clock& system_clock() noexcept;

// Stands still until told otherwise. For tests and the simulator.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return now_; }
  [[nodiscard]] std::int64_t unix_us() const noexcept override {
    return epoch_us_ + std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch()).count();
  }
  void advance(Duration step) noexcept { now_ += step; }
  // Earlier than now() is ignored.
  void advance_to(TimePoint to) noexcept {
    if (to > now_) now_ = to;
  }

 private:
  TimePoint now_{std::chrono::seconds(1)};
  std::int64_t epoch_us_ = 1'700'000'000'000'000;
};

}  // namespace cobus
