// SPDX-License-Identifier: Apache-2.0
//
// Generator: a synchronous coroutine that gives a sequence, one `co_yield` an item.
//   for (const Row& row : rows_of(table)) print(row);
// It runs on the caller's stack whenever the next item is wanted, on any thread, one at a time, and may not
// await: an asynchronous one is a Stream. Parameters by value, as for a Task. Its frame is pooled.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

#include "node/runtime/pool.hpp"

namespace cobus {

template <class T>
class [[nodiscard]] Generator : public std::ranges::view_base {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "yields values");

 public:
  struct promise_type {
    T* item = nullptr;
    std::exception_ptr exception;

    // Keeps a copy of what was yielded until the generator goes on.
    struct Copy {
      T value;
      promise_type* promise;
      [[nodiscard]] bool await_ready() noexcept {
        promise->item = std::addressof(value);
        return false;
      }
      void await_suspend(std::coroutine_handle<>) const noexcept {}
      void await_resume() const noexcept {}
    };
    static void* operator new(std::size_t size) { return pool_allocate(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { pool_free(frame, size); }
    Generator get_return_object() noexcept {
      return Generator(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }
    // What is yielded lives until the generator goes on, so a reference to it is enough.
    std::suspend_always yield_value(T& value) noexcept {
      item = std::addressof(value);
      return {};
    }
    std::suspend_always yield_value(T&& value) noexcept {
      item = std::addressof(value);
      return {};
    }
    Copy yield_value(const T& value) { return Copy{value, this}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { exception = std::current_exception(); }
    template <class U>
    void await_transform(U&&) = delete;  // use a Stream
  };

  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    [[nodiscard]] T& operator*() const noexcept { return *frame_.promise().item; }
    [[nodiscard]] T* operator->() const noexcept { return frame_.promise().item; }
    Iterator& operator++() {
      advance(frame_);
      return *this;
    }
    void operator++(int) { advance(frame_); }
    friend bool operator==(const Iterator& at, std::default_sentinel_t /*end*/) noexcept {
      return at.frame_.done();
    }

   private:
    std::coroutine_handle<promise_type> frame_;
  };

  explicit Generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  Generator(Generator&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Generator& operator=(Generator&& other) noexcept {
    if (this != &other) {
      if (frame_) frame_.destroy();
      frame_ = std::exchange(other.frame_, {});
    }
    return *this;
  }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;
  ~Generator() {
    if (frame_) frame_.destroy();
  }

  // Runs to the first item. Once. begin() and ++ throw what the generator throws; it has ended then. An item
  // may be changed or moved from, and is valid until the iterator moves or the generator is destroyed.
  [[nodiscard]] Iterator begin() {
    advance(frame_);
    return Iterator(frame_);
  }
  [[nodiscard]] static std::default_sentinel_t end() noexcept { return {}; }

 private:
  static void advance(std::coroutine_handle<promise_type> frame) {
    frame.resume();
    if (frame.promise().exception) std::rethrow_exception(std::exchange(frame.promise().exception, nullptr));
  }

  std::coroutine_handle<promise_type> frame_;
};

}  // namespace cobus
