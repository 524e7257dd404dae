// SPDX-License-Identifier: Apache-2.0
//
// Scope: children that run side by side inside one worker and end before their parent goes on. Start
// them with spawn(), wait for all with `co_await scope.join()`. A scope that is destroyed early
// destroys the children that still run, wherever they are suspended. One worker only.
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

#include "node/runtime/await.hpp"
#include "node/runtime/list.hpp"
#include "node/runtime/task.hpp"

namespace cobus {

class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() {
    while (Node* child = children_.pop_front()) child->frame.destroy();
  }

  // Starts `task` at once, up to its first wait.
  void spawn(Task<> task) {
    Child child = run(std::move(task));
    child.frame.promise().scope = this;
    children_.push_back(child.frame.promise());
    ++running_;
    child.frame.resume();
  }
  [[nodiscard]] std::size_t running() const noexcept { return running_; }

  // Resumes when no child runs any more. Rethrows the first exception that left a child.
  auto join() noexcept {
    struct Awaiter {
      Scope& scope;
      [[nodiscard]] bool await_ready() const noexcept { return scope.running_ == 0; }
      void await_suspend(std::coroutine_handle<> coroutine) noexcept {
        scope.joiner_.coroutine = coroutine;
        scope.joiner_.strand = &Shard::strand();
      }
      void await_resume() const {
        if (scope.failure_) std::rethrow_exception(std::exchange(scope.failure_, nullptr));
      }
    };
    return Awaiter{*this};
  }

 private:
  struct Node : ListHook {
    std::coroutine_handle<> frame;
  };
  struct Child {
    struct promise_type : Node {
      Scope* scope = nullptr;
      static void* operator new(std::size_t size) { return pool_allocate(size); }
      static void operator delete(void* frame, std::size_t size) noexcept { pool_free(frame, size); }
      Child get_return_object() noexcept {
        this->frame = std::coroutine_handle<promise_type>::from_promise(*this);
        return Child{std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
      // The frame destroys itself: the child is over.
      [[nodiscard]] std::suspend_never final_suspend() const noexcept {
        scope->ended();
        return {};
      }
      void return_void() const noexcept {}
      void unhandled_exception() const noexcept {
        if (!scope->failure_) scope->failure_ = std::current_exception();
      }
    };
    std::coroutine_handle<promise_type> frame;
  };
  static Child run(Task<> task) { co_await std::move(task); }

  void ended() noexcept {
    if (--running_ == 0 && joiner_.strand != nullptr) joiner_.strand->shard->ready(joiner_);
  }

  List<Node> children_;
  std::size_t running_ = 0;
  Wakeup joiner_;
  std::exception_ptr failure_;
};

}  // namespace cobus
