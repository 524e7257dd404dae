// SPDX-License-Identifier: Apache-2.0
//
// Await: the pieces every waiting operation is made of, and the two simplest of them: sleep and
// yield. Each resumes on the shard of the worker that waits, in a later turn of its queue.
#pragma once

#include <algorithm>
#include <coroutine>

#include "node/runtime/shard.hpp"
#include "node/runtime/stop.hpp"
#include "proto/status.hpp"

namespace cobus {

// An operation that waits for an event, a time or a stop, whichever comes first. Derive, suspend with
// park(), end it with wake(); the frame may be destroyed at any moment.
class Waiting {
 public:
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 protected:
  Waiting() noexcept : timer_(*this), stopper_(*this) {}
  ~Waiting() = default;

  enum class Cause : std::uint8_t { none, event, time, stop };

  // Suspends the running strand. False (do not suspend) when its stop was requested already.
  bool park(std::coroutine_handle<> coroutine, TimePoint until) noexcept {
    Strand& strand = Shard::strand();
    wakeup_.coroutine = coroutine;
    wakeup_.strand = &strand;
    if (strand.stop.requested()) {
      cause_ = Cause::stop;
      return false;
    }
    strand.stop.add(stopper_);
    strand.shard->timers().start(timer_, until);
    return true;
  }
  // The same with a time to wait at most; negative: none.
  bool park_for(std::coroutine_handle<> coroutine, Duration timeout) noexcept {
    return park(coroutine, deadline_after(Shard::current()->clock().now(), timeout));
  }
  // Of an operation that need not wait: whether it may complete at once. When the budget of the turn is spent
  // it may not, and has to step_aside().
  [[nodiscard]] static bool may_go_on() noexcept { return Shard::current()->spend(); }
  // Suspends the running strand behind all that is ready; a stop does not matter. The cause is then `event`.
  void step_aside(std::coroutine_handle<> coroutine) noexcept {
    Strand& strand = Shard::strand();
    wakeup_.coroutine = coroutine;
    wakeup_.strand = &strand;
    cause_ = Cause::event;
    strand.shard->ready_last(wakeup_);
  }
  // Ends the wait; later calls do nothing. The shard's thread.
  void wake(Cause cause) noexcept {
    if (cause_ != Cause::none) return;
    cause_ = cause;
    timer_.cancel();
    stopper_.unlink();
    wakeup_.strand->shard->ready(wakeup_);
  }
  [[nodiscard]] Cause cause() const noexcept { return cause_; }
  [[nodiscard]] Strand* waiting_strand() const noexcept { return wakeup_.strand; }

 private:
  struct OnTime : Timer {
    explicit OnTime(Waiting& operation) noexcept
        : Timer([](Timer& timer) { static_cast<OnTime&>(timer).waiting.wake(Cause::time); }),
          waiting(operation) {}
    Waiting& waiting;
  };
  struct OnStop : StopCallback {
    explicit OnStop(Waiting& operation) noexcept
        : StopCallback([](StopCallback& stop) { static_cast<OnStop&>(stop).waiting.wake(Cause::stop); }),
          waiting(operation) {}
    Waiting& waiting;
  };
  OnTime timer_;
  OnStop stopper_;
  Wakeup wakeup_;
  Cause cause_ = Cause::none;
};

// co_await sleep(duration): ok after that time, CANCELLED as soon as the worker is asked to stop.
class [[nodiscard]] Sleep : Waiting {
 public:
  static constexpr AwaitKind awaits = AwaitKind::time;
  explicit Sleep(Duration duration) noexcept : duration_(duration) {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
    return park(coroutine, deadline_after(Shard::current()->clock().now(), std::max(duration_, Duration(0))));
  }
  [[nodiscard]] Status await_resume() const {
    return cause() == Cause::stop ? Status(Code::cancelled, "stopped while it slept") : Status();
  }

 private:
  Duration duration_;
};
[[nodiscard]] inline Sleep sleep(Duration duration) noexcept { return Sleep(duration); }

// co_await yield(): lets everything else that is ready run first.
class [[nodiscard]] Yield {
 public:
  static constexpr AwaitKind awaits = AwaitKind::turn;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) noexcept {
    Strand& strand = Shard::strand();
    wakeup_.coroutine = coroutine;
    wakeup_.strand = &strand;
    strand.shard->ready_last(wakeup_);
  }
  void await_resume() const noexcept {}

 private:
  Wakeup wakeup_;
};
[[nodiscard]] inline Yield yield() noexcept { return {}; }

// Whether whoever runs now was asked to stop: the worker, or the Scope that it is a child of.
[[nodiscard]] inline bool stop_requested() noexcept { return Shard::strand().stop.requested(); }

}  // namespace cobus
