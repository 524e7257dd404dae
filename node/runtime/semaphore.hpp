// SPDX-License-Identifier: Apache-2.0
//
// Semaphore: at most so many at once. Whoever waits is served first come, first served, so one that wants
// much is not overtaken by those that want little. Shared by coroutines of one worker or of several workers
// of one shard; not for threads. Nothing is allocated.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "node/runtime/await.hpp"
#include "node/runtime/list.hpp"
#include "proto/status.hpp"

namespace cobus {

class Semaphore {
 public:
  // Permits that are held; the destructor gives them back. Also what a waiter was granted and has not yet
  // been resumed with: if its frame is destroyed first they go to whoever is next.
  // Safe after the semaphore is gone.
  class [[nodiscard]] Permits : ListHook {
   public:
    Permits() noexcept = default;
    Permits(Permits&& other) noexcept { take(other); }
    Permits& operator=(Permits&& other) noexcept {
      if (this != &other) {
        release();
        take(other);
      }
      return *this;
    }
    Permits(const Permits&) = delete;
    Permits& operator=(const Permits&) = delete;
    ~Permits() { release(); }

    // Gives them back now. Does nothing when none are held.
    void release() noexcept {
      if (!linked()) return;
      unlink();
      semaphore_->release(count_);
    }
    [[nodiscard]] explicit operator bool() const noexcept { return linked(); }

   private:
    friend class Semaphore;
    friend class List<Permits>;
    Permits(Semaphore& semaphore, std::size_t count) noexcept : semaphore_(&semaphore), count_(count) {
      semaphore.free_ -= count;
      semaphore.held_.push_back(*this);
    }
    void take(Permits& other) noexcept {
      semaphore_ = other.semaphore_;
      count_ = other.count_;
      if (!other.linked()) return;
      other.unlink();
      semaphore_->held_.push_back(*this);
    }

    Semaphore* semaphore_ = nullptr;
    std::size_t count_ = 0;
  };

  class [[nodiscard]] Acquire : ListHook, Waiting {
   public:
    static constexpr AwaitKind awaits = AwaitKind::permit;
    Acquire(Semaphore& semaphore, std::size_t count, Duration timeout) noexcept
        : semaphore_(semaphore), count_(count), timeout_(timeout) {}
    ~Acquire() { leave(); }
    [[nodiscard]] bool await_ready() noexcept {
      if (semaphore_.has(count_)) permits_ = Permits(semaphore_, count_);
      return permits_ && may_go_on();
    }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
      if (permits_) {
        step_aside(coroutine);
        return true;
      }
      if (!park_for(coroutine, timeout_)) return false;
      semaphore_.waiting_.push_back(*this);
      return true;
    }
    [[nodiscard]] Result<Permits> await_resume() {
      leave();
      if (cause() == Cause::stop) return fail(Code::cancelled, "stopped while it waited for its turn");
      if (cause() == Cause::time) return fail(Code::deadline_exceeded, "its turn did not come in time");
      return std::move(permits_);
    }

   private:
    friend class Semaphore;
    friend class List<Acquire>;
    void leave() noexcept {
      if (!linked()) return;
      unlink();
      semaphore_.grant();  // those behind may want less
    }
    void granted() noexcept {
      permits_ = Permits(semaphore_, count_);
      wake(Cause::event);
    }
    [[nodiscard]] bool given_up() const noexcept { return cause() != Cause::none; }

    Semaphore& semaphore_;
    std::size_t count_;
    Duration timeout_;
    Permits permits_;
  };

  explicit Semaphore(std::size_t permits) noexcept : free_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // Gives Result<Permits>: at once when `count` are free and nobody waits, else when it is our turn, in a
  // later turn of the shard. DEADLINE_EXCEEDED after `timeout` (negative: none), CANCELLED as soon as the
  // worker is asked to stop; nothing is held then. More than there ever are is waited for in vain. Whoever
  // still waits when the semaphore is destroyed is not resumed by it.
  [[nodiscard]] Acquire acquire(std::size_t count = 1, Duration timeout = Duration(-1)) noexcept {
    return {*this, count, timeout};
  }
  // Nothing when it would have to wait.
  [[nodiscard]] std::optional<Permits> try_acquire(std::size_t count = 1) noexcept {
    if (!has(count)) return std::nullopt;
    return Permits(*this, count);
  }
  // Adds permits that nobody holds; there may be more than at the start.
  void release(std::size_t count = 1) noexcept {
    free_ += count;
    grant();
  }
  [[nodiscard]] std::size_t available() const noexcept { return free_; }

 private:
  [[nodiscard]] bool has(std::size_t count) const noexcept { return waiting_.empty() && count <= free_; }
  void grant() noexcept {
    while (!waiting_.empty()) {
      Acquire& first = waiting_.front();
      if (!first.given_up() && first.count_ > free_) return;
      waiting_.pop_front();
      if (!first.given_up()) first.granted();
    }
  }

  std::size_t free_;
  List<Acquire> waiting_;
  List<Permits> held_;
};

}  // namespace cobus
