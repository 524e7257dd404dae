// SPDX-License-Identifier: Apache-2.0
//
// Task: an asynchronous function. It starts when awaited, runs on the shard of the worker that
// awaits it, and its frame goes with the Task object. One awaiter, move only. Completion hands over
// to the awaiter by symmetric transfer, so a million synchronous completions need no stack.
// Parameters of a task are taken by value: a reference would dangle once it suspends.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <source_location>
#include <stdexcept>
#include <utility>

#include "node/runtime/await_point.hpp"
#include "node/runtime/pool.hpp"

namespace cobus {

template <class T = void>
class Task;

namespace detail {

// Memory that an argument of the coroutine has ready for its frame; null when none has.
inline void* room_for_frame(std::size_t /*size*/) noexcept { return nullptr; }
template <class First, class... Rest>
void* room_for_frame(std::size_t size, const First& first, const Rest&... rest) noexcept {
  if constexpr (requires { first.room_for_frame(size); }) {
    return first.room_for_frame(size);
  } else {
    return room_for_frame(size, rest...);
  }
}

[[noreturn]] inline void refuse_to_await() {
  throw std::logic_error("a task was awaited that is empty or has ended already");
}

// What every coroutine of ours has: who goes on when it ends, where it stands, and pooled frames.
struct PromiseBase : AwaitPoint {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr exception;

  template <class Awaitable>
  Awaitable&& await_transform(Awaitable&& awaitable,
                              std::source_location at = std::source_location::current()) noexcept {
    stands_at(at, await_kind_of<Awaitable>());
    return std::forward<Awaitable>(awaitable);
  }

  template <class... Arguments>
  static void* operator new(std::size_t size, const Arguments&... arguments) {
    void* const room = room_for_frame(size, arguments...);
    return room != nullptr ? room : pool_allocate(size);
  }
  static void operator delete(void* frame, std::size_t size) noexcept { frame_free(frame, size); }

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }

  struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) const noexcept {
      return done.promise().continuation;
    }
    void await_resume() const noexcept {}
  };
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
};

template <class T>
struct TaskPromise : PromiseBase {
  TaskPromise() noexcept {}
  TaskPromise(const TaskPromise&) = delete;
  TaskPromise& operator=(const TaskPromise&) = delete;
  ~TaskPromise() {
    if (has_value) value.~T();
  }
  Task<T> get_return_object() noexcept;
  template <class U = T>
    requires std::constructible_from<T, U&&>
  void return_value(U&& result) {
    ::new (static_cast<void*>(std::addressof(value))) T(std::forward<U>(result));
    has_value = true;
  }
  T take() {
    if (exception) std::rethrow_exception(std::exchange(exception, nullptr));
    return std::move(value);
  }
  union {
    T value;
  };
  bool has_value = false;
};

template <>
struct TaskPromise<void> : PromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() {
    if (exception) std::rethrow_exception(std::exchange(exception, nullptr));
  }
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  static constexpr AwaitKind awaits = AwaitKind::task;
  using promise_type = detail::TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() noexcept = default;
  explicit Task(Handle frame) noexcept : frame_(frame) {}
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (frame_) frame_.destroy();
      frame_ = std::exchange(other.frame_, {});
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(frame_); }

  // Gives the frame away; whoever takes it destroys it.
  [[nodiscard]] Handle release() noexcept { return std::exchange(frame_, {}); }

  // Starts the task and resumes where it ends, on the same shard. Rethrows what it threw. Throws
  // std::logic_error when there is no task, or it has ended already.
  auto operator co_await() && {
    if (!frame_ || frame_.done()) [[unlikely]]
      detail::refuse_to_await();
    return Awaiter{frame_};
  }

 private:
  struct Awaiter {
    Handle frame;
    detail::AwaitLink* outer = nullptr;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
      frame.promise().continuation = awaiting;
      if constexpr (std::derived_from<Promise, detail::AwaitLink>) {
        outer = &awaiting.promise();
        outer->inner = &frame.promise();
      }
      return frame;
    }
    T await_resume() const {
      if (outer != nullptr) outer->inner = nullptr;
      return frame.promise().take();
    }
  };
  Handle frame_;
};

namespace detail {
template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
}  // namespace detail

}  // namespace cobus
