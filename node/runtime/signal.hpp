// SPDX-License-Identifier: Apache-2.0
//
// Signal: lets workers of one shard wait until something changed. It holds no state of its own:
// whoever waits looks at the state first, waits, and looks again. Used on one shard only.
#pragma once

#include "node/runtime/await.hpp"

namespace cobus {

class Signal {
 public:
  class [[nodiscard]] Wait : public ListHook, Waiting {
   public:
    static constexpr AwaitKind awaits = AwaitKind::change;
    Wait(Signal& signal, Duration timeout) noexcept : signal_(signal), timeout_(timeout) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
      if (!park_for(coroutine, timeout_)) return false;
      signal_.waiters_.push_back(*this);
      return true;
    }
    // Ok after a notify, DEADLINE_EXCEEDED after the timeout, CANCELLED when the worker is asked to stop.
    [[nodiscard]] Status await_resume() {
      unlink();
      if (cause() == Cause::stop) return {Code::cancelled, "stopped while it waited"};
      if (cause() == Cause::time) return {Code::deadline_exceeded, "nothing changed in time"};
      return {};
    }

   private:
    friend class Signal;
    void notified() noexcept { wake(Cause::event); }
    Signal& signal_;
    Duration timeout_;
  };

  // Waits for the next notify(), at most `timeout` (negative: for ever).
  [[nodiscard]] Wait wait(Duration timeout = Duration(-1)) noexcept { return {*this, timeout}; }
  // Wakes everybody who waits now.
  void notify() noexcept {
    while (Wait* waiting = waiters_.pop_front()) waiting->notified();
  }

 private:
  List<Wait> waiters_;
};

}  // namespace cobus
