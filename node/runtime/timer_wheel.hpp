// SPDX-License-Identifier: Apache-2.0
//
// TimerWheel: many timers, nearly all of which are cancelled before they fire (deadlines of calls).
// A hierarchical timing wheel (Varghese, Lauck 1987): seven levels of 64 slots, one tick a
// millisecond; starting and cancelling touch one list each. Timers never fire early, at most one tick
// late. It reads no clock: the caller passes `now`. Used by one shard only.
#pragma once

#include <array>
#include <cstdint>

#include "node/runtime/clock.hpp"
#include "node/runtime/list.hpp"

namespace cobus {

// Embedded in whatever waits. Destroying it cancels it.
class Timer : public ListHook {
 public:
  using Fire = void (*)(Timer&);
  explicit Timer(Fire fire) noexcept : fire_(fire) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  [[nodiscard]] bool armed() const noexcept { return wheel_ != nullptr; }
  // Does nothing when it is not armed.
  void cancel() noexcept;

 private:
  friend class TimerWheel;
  Fire fire_;
  class TimerWheel* wheel_ = nullptr;
  std::uint64_t tick_ = 0;
  std::uint8_t level_ = 0;
  std::uint8_t slot_ = 0;
};

class TimerWheel {
 public:
  explicit TimerWheel(TimePoint now) noexcept;

  // Arms `timer` for `when`; one that is armed already is moved. `when` in the past fires with the
  // next advance(); `never` does not arm.
  void start(Timer& timer, TimePoint when) noexcept;

  // Fires what is due at `now`, in order of time. A timer is no longer armed when its function runs,
  // which may start and cancel any timer.
  void advance(TimePoint now);

  // When the next timer may fire, at the earliest; `never` without one. Not later than the truth.
  [[nodiscard]] TimePoint next() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  friend class Timer;
  static constexpr unsigned level_bits = 6;
  static constexpr unsigned levels = 7;
  static constexpr std::uint64_t last_tick =
      (std::uint64_t{1} << (level_bits * levels)) - 1;  // 139 years of uptime
  static constexpr unsigned slots = 1U << level_bits;
  struct Level {
    std::array<List<Timer>, slots> slot;
    std::uint64_t occupied = 0;  // one bit a slot
  };

  void place(Timer& timer) noexcept;
  void remove(Timer& timer) noexcept;
  void take_slot(unsigned level, unsigned slot, List<Timer>& into) noexcept;
  [[nodiscard]] std::uint64_t next_tick() const noexcept;

  std::array<Level, levels> levels_;
  List<Timer> due_;  // the tick that is being fired
  std::uint64_t tick_;
  std::size_t size_ = 0;
};

}  // namespace cobus
