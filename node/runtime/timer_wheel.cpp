// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace cobus {
namespace {

constexpr std::int64_t tick_ns = 1'000'000;
constexpr std::uint8_t in_due = 0xff;  // level of a timer whose tick has come

std::uint64_t tick_at(TimePoint when) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(when.time_since_epoch().count(), 0) / tick_ns);
}
std::uint64_t tick_not_before(TimePoint when) noexcept {
  const std::int64_t ns = std::max<std::int64_t>(when.time_since_epoch().count(), 0);
  return static_cast<std::uint64_t>(ns / tick_ns + (ns % tick_ns != 0 ? 1 : 0));
}

}  // namespace

void Timer::cancel() noexcept {
  if (wheel_ != nullptr) wheel_->remove(*this);
}

TimerWheel::TimerWheel(TimePoint now) noexcept : tick_(tick_at(now)) {}

void TimerWheel::start(Timer& timer, TimePoint when) noexcept {
  timer.cancel();
  if (when == never) return;
  timer.tick_ = std::clamp(tick_not_before(when), tick_ + 1, last_tick);
  timer.wheel_ = this;
  ++size_;
  place(timer);
}

void TimerWheel::place(Timer& timer) noexcept {
  const std::uint64_t at = timer.tick_;
  // The level is where `at` and the present tick first differ.
  const std::uint64_t differing = (at ^ tick_) | (slots - 1);
  const unsigned level = (63U - static_cast<unsigned>(std::countl_zero(differing))) / level_bits;
  const unsigned slot = static_cast<unsigned>(at >> (level * level_bits)) & (slots - 1);
  timer.level_ = static_cast<std::uint8_t>(level);
  timer.slot_ = static_cast<std::uint8_t>(slot);
  levels_[level].slot[slot].push_back(timer);
  levels_[level].occupied |= std::uint64_t{1} << slot;
}

void TimerWheel::remove(Timer& timer) noexcept {
  timer.unlink();
  timer.wheel_ = nullptr;
  --size_;
  if (timer.level_ == in_due) return;
  Level& level = levels_[timer.level_];
  if (level.slot[timer.slot_].empty()) level.occupied &= ~(std::uint64_t{1} << timer.slot_);
}

void TimerWheel::take_slot(unsigned level, unsigned slot, List<Timer>& into) noexcept {
  into.splice(levels_[level].slot[slot]);
  levels_[level].occupied &= ~(std::uint64_t{1} << slot);
}

std::uint64_t TimerWheel::next_tick() const noexcept {
  for (unsigned level = 0; level < levels; ++level) {
    const unsigned shift = level * level_bits;
    const unsigned at = static_cast<unsigned>(tick_ >> shift) & (slots - 1);
    // Only slots behind the present one are in use: the present one was opened when it came.
    const std::uint64_t later =
        at == slots - 1 ? 0 : levels_[level].occupied & (~std::uint64_t{0} << (at + 1));
    if (later == 0) continue;
    const auto slot = static_cast<std::uint64_t>(std::countr_zero(later));
    const std::uint64_t above = tick_ >> (shift + level_bits) << (shift + level_bits);
    return above | (slot << shift);
  }
  return ~std::uint64_t{0};
}

TimePoint TimerWheel::next() const noexcept {
  const std::uint64_t tick = next_tick();
  if (tick == ~std::uint64_t{0})
    return size_ == 0 ? never : TimePoint(Duration(static_cast<std::int64_t>(tick_) * tick_ns));
  return TimePoint(Duration(static_cast<std::int64_t>(tick) * tick_ns));
}

void TimerWheel::advance(TimePoint now) {
  const std::uint64_t target = tick_at(now);
  while (tick_ < target) {
    const std::uint64_t next = next_tick();
    if (next > target) {
      tick_ = target;
      return;
    }
    tick_ = next;
    // Open the slots that begin with this tick, highest level first: their timers move down.
    for (unsigned level = levels; level-- > 1;) {
      if ((tick_ & ((std::uint64_t{1} << (level * level_bits)) - 1)) != 0) continue;
      List<Timer> moved;
      take_slot(level, static_cast<unsigned>(tick_ >> (level * level_bits)) & (slots - 1), moved);
      while (Timer* timer = moved.pop_front()) place(*timer);
    }
    take_slot(0, static_cast<unsigned>(tick_) & (slots - 1), due_);
    due_.each([](Timer& timer) { timer.level_ = in_due; });
    while (Timer* timer = due_.pop_front()) {
      timer->wheel_ = nullptr;
      --size_;
      timer->fire_(*timer);
    }
  }
}

}  // namespace cobus
