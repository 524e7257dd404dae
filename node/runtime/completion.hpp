// SPDX-License-Identifier: Apache-2.0
//
// Completion: lets a worker wait for something that another thread finishes. Hand callback() to that
// thread and `co_await` the completion: it resumes on the worker's shard with the value. The worker may
// be destroyed while it waits; the callback may be dropped without being called.
#pragma once

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "node/runtime/shard.hpp"
#include "proto/status.hpp"

namespace cobus {

template <class T>
class [[nodiscard]] Completion {
 public:
  static constexpr AwaitKind awaits = AwaitKind::thread;
  Completion() : state_(new State(*Shard::strand().shard)) {}
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;
  ~Completion() {
    if (state_->delivered) {
      delete state_;
    } else {
      state_->abandoned = true;
      state_->waiting = nullptr;
    }
  }

  // To be called once, by any thread. Call this once.
  [[nodiscard]] std::move_only_function<void(Result<T>)> callback() {
    return [promise = Promise(state_)](Result<T> value) mutable {
      promise->value.emplace(std::move(value));
      promise.reset();
    };
  }

  [[nodiscard]] bool await_ready() const noexcept { return state_->delivered; }
  void await_suspend(std::coroutine_handle<> coroutine) noexcept {
    wakeup_.coroutine = coroutine;
    wakeup_.strand = &Shard::strand();
    state_->waiting = &wakeup_;
  }
  // UNAVAILABLE when the callback was dropped.
  [[nodiscard]] Result<T> await_resume() {
    if (!state_->value) return fail(Code::unavailable, "whoever was to answer is gone");
    return std::move(*state_->value);
  }

 private:
  struct State final : InboxItem {
    explicit State(Shard& of) noexcept : home(of) {}
    void deliver(Shard& shard) noexcept override {
      if (abandoned) {
        delete this;
        return;
      }
      delivered = true;
      if (waiting != nullptr) shard.ready(*waiting);
    }
    Shard& home;
    std::optional<Result<T>> value;  // the other thread's until it is posted
    // the home shard's thread only
    Wakeup* waiting = nullptr;
    bool delivered = false;
    bool abandoned = false;
  };
  struct Post {
    void operator()(State* state) const noexcept { state->home.post(state); }
  };
  using Promise = std::unique_ptr<State, Post>;

  State* state_;
  Wakeup wakeup_;
};

}  // namespace cobus
