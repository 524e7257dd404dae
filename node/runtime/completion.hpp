// SPDX-License-Identifier: Apache-2.0
//
// Completion: lets a worker wait for something that another thread finishes. Hand callback() to that
// thread and `co_await` the completion: it resumes on the worker's shard with the value. The worker may
// be destroyed while it waits; the callback may be dropped without being called.
//
// A stop ends the wait, not what the other thread does: nobody can take back a commit that is on its way to
// the disk, and a worker that is to end does not stay for one. What then becomes of the value is for
// `unwanted` to say: a claim is handed back, a read is forgotten.
#pragma once

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "node/runtime/await.hpp"
#include "node/runtime/shard.hpp"
#include "proto/status.hpp"

namespace cobus {

template <class T>
class [[nodiscard]] Completion : Waiting {
 public:
  static constexpr AwaitKind awaits = AwaitKind::thread;
  // Gets the value, on the worker's shard, when whoever waited for it was stopped or is gone: then, or when
  // it comes. Not when the node has ended by then. It outlives the worker, so it refers to nothing of its.
  using Unwanted = std::move_only_function<void(Result<T>)>;

  Completion() : Completion(nullptr) {}
  explicit Completion(Unwanted unwanted) : state_(new State(*Shard::strand().shard, std::move(unwanted))) {}
  ~Completion() { leave(); }

  // To be called once, by any thread. Call this once.
  [[nodiscard]] std::move_only_function<void(Result<T>)> callback() {
    state_->promised = true;
    return [promise = Promise(state_)](Result<T> value) mutable {
      promise->value.emplace(std::move(value));
      promise.reset();
    };
  }

  [[nodiscard]] bool await_ready() const noexcept { return state_->delivered; }
  bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
    if (!park(coroutine, never)) return false;
    state_->waiting = this;
    return true;
  }
  // UNAVAILABLE when the callback was dropped, CANCELLED when the worker is asked to stop before the value
  // came.
  [[nodiscard]] Result<T> await_resume() {
    if (!state_->delivered) {
      leave();
      return fail(Code::cancelled, "stopped while it waited for another thread");
    }
    if (!state_->value) return fail(Code::unavailable, "whoever was to answer is gone");
    Result<T> value = std::move(*state_->value);
    state_->value.reset();
    return value;
  }

 private:
  struct State final : InboxItem {
    State(Shard& of, Unwanted then) noexcept : home(of), unwanted(std::move(then)) {}
    void deliver(Shard& /*shard*/) noexcept override {
      if (abandoned) return end();
      delivered = true;
      if (waiting != nullptr) waiting->wake(Cause::event);
    }
    // Nobody waits any more. What `unwanted` throws is lost with the value.
    void end() noexcept {
      const std::unique_ptr<State> self(this);
      if (!value || !unwanted) return;
      try {
        unwanted(std::move(*value));
      } catch (...) {  // NOLINT(bugprone-empty-catch): there is nobody left to tell
      }
    }
    Shard& home;
    std::optional<Result<T>> value;  // the other thread's until it is posted
    // the home shard's thread only
    Unwanted unwanted;
    Completion* waiting = nullptr;
    bool promised = false;  // the callback exists, or did
    bool delivered = false;
    bool abandoned = false;
  };
  struct Post {
    void operator()(State* state) const noexcept { state->home.post(state); }
  };
  using Promise = std::unique_ptr<State, Post>;

  void leave() noexcept {
    State* const state = std::exchange(state_, nullptr);
    if (state == nullptr) return;
    if (state->delivered || !state->promised) return state->end();
    state->abandoned = true;
    state->waiting = nullptr;
  }

  State* state_;
};

}  // namespace cobus
