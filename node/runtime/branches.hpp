// SPDX-License-Identifier: Apache-2.0
//
// Branches: tasks that run side by side on the strand of the one coroutine that waits for them, until it
// has enough or all have ended. What all, any, race and with_timeout are made of; not for workers. They
// share the strand, so its stop reaches what a branch waits for; whoever is not needed any more is
// destroyed, not asked. A branch costs one pooled frame.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

#include "node/runtime/await.hpp"
#include "node/runtime/list.hpp"
#include "node/runtime/task.hpp"

namespace cobus::detail {

// What a task gives, as something that can be stored.
template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

class Branches final : AwaitGroup {
 public:
  enum class Throw : bool { is_enough, is_not_enough };
  explicit Branches(Throw when_thrown = Throw::is_enough) noexcept : when_thrown_(when_thrown) {}
  Branches(const Branches&) = delete;
  Branches& operator=(const Branches&) = delete;
  ~Branches() { clear(); }

  // Adds a branch, before run(). It hands what `task` gives to `take`, which answers whether the group
  // has enough.
  template <class T, class Take>
  void add(Task<T> task, Take take) {
    Branch added = branch(std::move(task), std::move(take));
    added.frame.promise().owner = this;
    branches_.push_back(added.frame.promise());
    ++running_;
  }
  // What a branch threw last. Whoever waits rethrows it.
  std::exception_ptr thrown;

  class Run;
  // Starts the branches, in their order, and resumes on the same strand once there is enough or all have
  // ended; false when neither came within `longest` (negative: no bound). All are destroyed by then. Once.
  [[nodiscard]] Run run(Duration longest = Duration(-1)) noexcept;

 private:
  struct Branch {
    struct promise_type : ListHook, AwaitLink {
      Branches* owner = nullptr;
      bool enough = false;

      struct Ended {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> branch) const noexcept {
          return branch.promise().owner->ended(branch.promise().enough);
        }
        void await_resume() const noexcept {}
      };
      static void* operator new(std::size_t size) { return pool_allocate(size); }
      static void operator delete(void* frame, std::size_t size) noexcept { pool_free(frame, size); }
      Branch get_return_object() noexcept {
        return {std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
      [[nodiscard]] Ended final_suspend() const noexcept { return {}; }
      void return_value(bool its_enough) noexcept { enough = its_enough; }
      void unhandled_exception() noexcept {
        owner->thrown = std::current_exception();
        enough = owner->when_thrown_ == Throw::is_enough;
      }
    };
    std::coroutine_handle<promise_type> frame;
  };

  template <class T, class Take>
  static Branch branch(Task<T> task, Take take) {
    Task<T> running = std::move(task);  // its frame ends with this body; the branch's stays until clear()
    if constexpr (std::is_void_v<T>) {
      co_await std::move(running);
      co_return take(std::monostate());
    } else {
      co_return take(co_await std::move(running));
    }
  }

  void each_running(const Visit& visit) override {
    std::size_t number = 0;
    branches_.each([&](const Branch::promise_type& branch) { visit(number++, branch.inner); });
  }
  [[nodiscard]] bool finished() const noexcept { return enough_ || running_ == 0; }
  // Who goes on when a branch has ended.
  std::coroutine_handle<> ended(bool enough) noexcept {
    --running_;
    enough_ = enough_ || enough;
    return finished() ? waiting_ : std::noop_coroutine();
  }
  void start() noexcept {
    branches_.each([this](Branch::promise_type& branch) {
      if (!finished()) std::coroutine_handle<Branch::promise_type>::from_promise(branch).resume();
    });
  }
  void clear() noexcept {
    while (Branch::promise_type* branch = branches_.pop_front())
      std::coroutine_handle<Branch::promise_type>::from_promise(*branch).destroy();
  }

  List<Branch::promise_type> branches_;
  std::coroutine_handle<> waiting_ = std::noop_coroutine();  // nobody while they are being started
  std::size_t running_ = 0;
  bool enough_ = false;
  const Throw when_thrown_;
};

class [[nodiscard]] Branches::Run : Timer {
 public:
  static constexpr AwaitKind awaits = AwaitKind::branches;
  Run(Branches& branches, Duration longest) noexcept
      : Timer([](Timer& timer) {
          Wakeup& wakeup = static_cast<Run&>(timer).wakeup_;
          wakeup.strand->shard->ready(wakeup);
        }),
        branches_(branches),
        longest_(longest) {}
  [[nodiscard]] bool await_ready() const noexcept { return branches_.finished(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
    branches_.start();
    if (branches_.finished()) return false;
    if constexpr (std::derived_from<Promise, AwaitPoint>) {
      outer_ = &coroutine.promise();
      outer_->group = &branches_;
    }
    branches_.waiting_ = coroutine;
    wakeup_.coroutine = coroutine;
    wakeup_.strand = &Shard::strand();
    if (longest_ >= Duration(0)) {
      Shard& shard = *wakeup_.strand->shard;
      shard.timers().start(*this, deadline_after(shard.clock().now(), longest_));
    }
    return true;
  }
  bool await_resume() noexcept {
    if (outer_ != nullptr) outer_->inner = nullptr;
    cancel();
    wakeup_.unlink();  // the time may have come in the same turn
    branches_.clear();
    return branches_.finished();
  }

 private:
  Branches& branches_;
  Duration longest_;
  AwaitLink* outer_ = nullptr;
  Wakeup wakeup_;
};
inline Branches::Run Branches::run(Duration longest) noexcept { return {*this, longest}; }

}  // namespace cobus::detail
