// SPDX-License-Identifier: Apache-2.0
//
// OpenLoop: calls at a fixed rate, whether answers have come or not. A call's time counts from when it was
// due, so one that could not even begin because others were late is late itself (no coordinated omission).
// One thread asks what is due, one thread, maybe another, tells of the answers.
#pragma once

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/figure.hpp"

namespace cobus::bench {

class OpenLoop {
 public:
  // `count` calls are measured, after some that are not. The first is due in a moment.
  OpenLoop(std::uint64_t per_second, std::uint64_t warm_up, std::uint64_t count)
      : warm_up_(warm_up),
        total_(warm_up + count),
        every_(std::chrono::nanoseconds(std::chrono::seconds(1)) / per_second),
        first_due_(Steady::now() + std::chrono::milliseconds(1)),
        times_us_(total_, -1),
        timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) {
    itimerspec when{.it_interval = to_timespec(every_),
                    .it_value = to_timespec(first_due_.time_since_epoch())};
    if (timer_ < 0 || ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr) != 0) give_up("no timer");
  }
  ~OpenLoop() { ::close(timer_); }
  OpenLoop(const OpenLoop&) = delete;
  OpenLoop& operator=(const OpenLoop&) = delete;

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  // Readable when wait() need not wait.
  [[nodiscard]] int descriptor() const noexcept { return timer_; }
  // Waits until another call is due; how many have been, in all.
  std::uint64_t wait() {
    std::uint64_t more = 0;
    if (::read(timer_, &more, sizeof more) != sizeof more) give_up("no timer");
    due_ = std::min(due_ + more, total_);
    return due_;
  }

  // Of call number `which`, from 0.
  void answered(std::uint64_t which) {
    const auto due = first_due_ + every_ * which;
    times_us_[which] = std::chrono::duration<double, std::micro>(Steady::now() - due).count();
    answered_.fetch_add(1, std::memory_order_release);
  }
  [[nodiscard]] bool finished() const noexcept { return answered_.load(std::memory_order_acquire) == total_; }
  void wait_for_answers() const {
    const auto begin = Steady::now();
    while (!finished()) {
      if (seconds_since(begin) > patience_s) give_up("calls were not answered");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  // Microseconds that so large a share of the measured calls took at most. Once it is finished.
  [[nodiscard]] double percentile_us(double share) const {
    return percentile({times_us_.begin() + static_cast<std::ptrdiff_t>(warm_up_), times_us_.end()}, share);
  }

 private:
  static constexpr double patience_s = 30;
  static timespec to_timespec(std::chrono::nanoseconds time) {
    constexpr std::int64_t second_ns = 1'000'000'000;
    return {.tv_sec = time.count() / second_ns, .tv_nsec = time.count() % second_ns};
  }

  const std::uint64_t warm_up_;
  const std::uint64_t total_;
  const std::chrono::nanoseconds every_;
  const Steady::time_point first_due_;
  std::vector<double> times_us_;
  std::atomic<std::uint64_t> answered_{0};
  std::uint64_t due_ = 0;
  const int timer_;
};

}  // namespace cobus::bench
