// SPDX-License-Identifier: Apache-2.0
//
// Stream: an asynchronous generator. The producer writes `co_yield item`, may await in between, and
// ends by returning or with `co_yield fail(...)`. The consumer writes
//   while (auto item = co_await stream.next()) ...
// and then looks at status(). The producer runs only while the consumer waits for it, and destroying
// the stream destroys the producer wherever it is suspended. Both live on one shard.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "node/runtime/task.hpp"
#include "proto/status.hpp"

namespace cobus {

template <class T>
class [[nodiscard]] Stream {
 public:
  struct promise_type : detail::PromiseBase {
    std::optional<T> item;
    Status status;

    // Back to the consumer, who resumes the producer with the next next().
    struct Yielded {
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> producer) const noexcept {
        return producer.promise().continuation;
      }
      void await_resume() const noexcept {}
    };
    Stream get_return_object() noexcept {
      return Stream(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    Yielded yield_value(T value) {
      item.emplace(std::move(value));
      return {};
    }
    Yielded yield_value(std::unexpected<Status> error) {
      status = std::move(error).error();
      return {};
    }
    void return_void() const noexcept {}
  };
  using Handle = std::coroutine_handle<promise_type>;

  explicit Stream(Handle frame) noexcept : frame_(frame) {}
  Stream(Stream&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Stream& operator=(Stream&& other) noexcept {
    if (this != &other) {
      if (frame_) frame_.destroy();
      frame_ = std::exchange(other.frame_, {});
    }
    return *this;
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (frame_) frame_.destroy();
  }

  class Next {
   public:
    static constexpr AwaitKind awaits = AwaitKind::task;
    explicit Next(Handle frame) noexcept : frame_(frame) {}
    [[nodiscard]] bool await_ready() const noexcept {
      return !frame_ || frame_.done() || !frame_.promise().status.ok();
    }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> consumer) noexcept {
      frame_.promise().item.reset();
      frame_.promise().continuation = consumer;
      if constexpr (std::derived_from<Promise, detail::AwaitLink>) {
        outer_ = &consumer.promise();
        outer_->inner = &frame_.promise();
      }
      return frame_;
    }
    std::optional<T> await_resume() const {
      if (outer_ != nullptr) outer_->inner = nullptr;
      if (!frame_) return std::nullopt;
      promise_type& promise = frame_.promise();
      if (promise.exception) std::rethrow_exception(std::exchange(promise.exception, nullptr));
      if (frame_.done() || !promise.status.ok()) return std::nullopt;
      return std::exchange(promise.item, std::nullopt);
    }

   private:
    Handle frame_;
    detail::AwaitLink* outer_ = nullptr;
  };
  // The next item; nothing once the stream has ended, then status() says how. Rethrows what the
  // producer threw. One next() at a time.
  [[nodiscard]] Next next() noexcept { return Next(frame_); }

  // Ok while it goes on and after an ordinary end.
  [[nodiscard]] Status status() const { return frame_ ? frame_.promise().status : Status(); }

 private:
  Handle frame_;
};

}  // namespace cobus
