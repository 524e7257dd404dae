// SPDX-License-Identifier: Apache-2.0
//
// Event: a gate that is open or shut. Whoever waits goes on once it is set; it stays set until reset().
// Shared by coroutines of one worker or of several workers of one shard; not for threads. Nothing is
// allocated. See signal.hpp for a change without a state.
#pragma once

#include <coroutine>

#include "node/runtime/await.hpp"
#include "node/runtime/list.hpp"
#include "proto/status.hpp"

namespace cobus {

class Event {
 public:
  class [[nodiscard]] Wait : ListHook, Waiting {
   public:
    static constexpr AwaitKind awaits = AwaitKind::event;
    Wait(Event& event, Duration timeout) noexcept : event_(event), timeout_(timeout) {}
    [[nodiscard]] bool await_ready() const noexcept { return event_.set_ && may_go_on(); }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
      if (event_.set_) {
        step_aside(coroutine);
        return true;
      }
      if (!park_for(coroutine, timeout_)) return false;
      event_.waiting_.push_back(*this);
      return true;
    }
    [[nodiscard]] Status await_resume() {
      unlink();
      if (cause() == Cause::stop) return {Code::cancelled, "stopped while it waited for an event"};
      if (cause() == Cause::time) return {Code::deadline_exceeded, "the event did not come in time"};
      return {};
    }

   private:
    friend class Event;
    friend class List<Wait>;
    void came() noexcept { wake(Cause::event); }
    Event& event_;
    Duration timeout_;
  };

  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Ok at once when it is set, else as soon as set() is called, even if a reset() follows before the waiter
  // runs. DEADLINE_EXCEEDED after `timeout` (negative: none), CANCELLED as soon as the worker is asked to
  // stop. Whoever still waits when the event is destroyed is not resumed by it.
  [[nodiscard]] Wait wait(Duration timeout = Duration(-1)) noexcept { return {*this, timeout}; }
  // Wakes everybody who waits; each resumes in a later turn of its shard. Does nothing when it is set.
  void set() noexcept {
    set_ = true;
    while (Wait* waiting = waiting_.pop_front()) waiting->came();
  }
  void reset() noexcept { set_ = false; }
  [[nodiscard]] bool is_set() const noexcept { return set_; }

 private:
  List<Wait> waiting_;
  bool set_ = false;
};

}  // namespace cobus
