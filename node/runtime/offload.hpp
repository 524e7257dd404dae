// SPDX-License-Identifier: Apache-2.0
//
// Offload: the explicit letting go for code that blocks or computes for long. `co_await offload(f)`
// runs f on a thread of the node's pool while the worker waits and its shard goes on with others.
// f must not touch the worker's state; it gets what it needs by value and gives back a value.
//
// A stop takes back what no thread has begun: the worker goes on at once. What runs cannot be taken back: it
// is told (OffloadStop), and the worker waits for it, to know what was done. A worker that is ended does not
// wait.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "node/runtime/flat_result.hpp"
#include "node/runtime/shard.hpp"
#include "node/runtime/task.hpp"
#include "proto/status.hpp"

namespace cobus {

// Whether the worker that waits for an offloaded function was asked to stop or is gone. A long
// computation looks at it from time to time. Any thread.
class OffloadStop {
 public:
  explicit OffloadStop(const std::atomic<bool>& flag) noexcept : flag_(&flag) {}
  [[nodiscard]] bool requested() const noexcept { return flag_->load(std::memory_order_relaxed); }

 private:
  const std::atomic<bool>* flag_;
};

// One function on its way through the pool. Made by the awaiter, owned by the pool until it ran and
// by the shard's inbox afterwards.
class OffloadJob : public InboxItem {
 public:
  OffloadJob(const Strand& of, Wakeup* waiting) noexcept
      : id(of.id), kind(of.kind), home_(*of.shard), waiting_(waiting) {}
  virtual void run() noexcept = 0;
  void deliver(Shard& shard) noexcept final {
    if (waiting_ != nullptr) {
      delivered_ = true;
      shard.ready(*waiting_);  // the awaiter takes the job over
    } else {
      delete this;
    }
  }
  // The awaiter is gone. The home shard's thread; *this may be gone afterwards.
  void abandon() noexcept {
    if (delivered_) {
      delete this;
      return;
    }
    waiting_ = nullptr;
    stop.store(true, std::memory_order_relaxed);
    static_cast<void>(take_back());
  }
  [[nodiscard]] Shard& home() noexcept { return home_; }
  // Of the thread that comes to it: false when it is not wanted any more.
  [[nodiscard]] bool begin() noexcept { return !taken_.exchange(true, std::memory_order_relaxed); }
  // The home shard's thread: it will not run. False when a thread has begun it. abandon() it then.
  [[nodiscard]] bool take_back() noexcept { return begin(); }
  std::atomic<bool> stop{false};
  const WorkerId id;  // whose it is
  const char* const kind;

 private:
  std::atomic<bool> taken_{false};  // by the one or the other
  Shard& home_;
  Wakeup* waiting_;  // the home shard's thread only, as is the next
  bool delivered_ = false;
};

class OffloadPool {
 public:
  static constexpr std::size_t queue_max = 10'000;  // what waits for a thread; more is refused
  // With 0 threads functions run at once on the calling thread: for the simulator.
  explicit OffloadPool(unsigned threads);
  // Closes it, however long that takes.
  ~OffloadPool();
  OffloadPool(const OffloadPool&) = delete;
  OffloadPool& operator=(const OffloadPool&) = delete;

  // Passes over what is queued, and gives what runs `patience` to end. False when some of it did not: try
  // again. Nothing is taken any more. One thread at a time.
  [[nodiscard]] bool close(Duration patience);
  // The worker whose function has run longest, and since when, while one runs. Any thread.
  struct Running {
    WorkerId id;
    const char* kind = "";
    std::chrono::steady_clock::time_point since;
  };
  [[nodiscard]] std::optional<Running> longest_running() const;

  // Takes the job over. False, leaving the job to the caller, when the queue is full.
  [[nodiscard]] bool submit(OffloadJob* job);
  [[nodiscard]] unsigned threads() const noexcept { return static_cast<unsigned>(threads_.size()); }

 private:
  void work(unsigned thread);

  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable ended_;
  // guarded by mutex_
  std::deque<OffloadJob*> queue_;
  std::vector<std::optional<Running>> running_;  // by thread
  unsigned working_ = 0;                         // threads that have not ended
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

// The pool of the node that `shard` belongs to. Defined by the layer above.
[[nodiscard]] OffloadPool& offload_pool(Shard& shard) noexcept;

namespace detail {

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<Task<T>> = true;

// How an offloaded function is called and what it gives: `function(OffloadStop)` if it can be, else
// `function()`.
template <class Function>
struct OffloadCall {
  static constexpr bool wants_stop = false;
  using Value = std::invoke_result_t<Function&>;
};
template <class Function>
  requires std::is_invocable_v<Function&, OffloadStop>
struct OffloadCall<Function> {
  static constexpr bool wants_stop = true;
  using Value = std::invoke_result_t<Function&, OffloadStop>;
};

}  // namespace detail

template <class Function>
class [[nodiscard]] Offload {
 public:
  static constexpr AwaitKind awaits = AwaitKind::pool;
  using Value = typename detail::OffloadCall<Function>::Value;
  static_assert(!std::is_void_v<Value>, "an offloaded function returns what it found out, if only true");
  static_assert(!detail::is_task<Value>,
                "offload() is for code that blocks; a coroutine is awaited as it is");

  explicit Offload(Function function) : function_(std::move(function)) {}
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;
  ~Offload() {
    if (job_ != nullptr) job_->abandon();
  }
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> coroutine) {
    Strand& strand = Shard::strand();
    wakeup_.coroutine = coroutine;
    wakeup_.strand = &strand;
    taken_back_ = strand.stop.requested();
    if (taken_back_) return false;
    auto job = std::make_unique<Job>(strand, &wakeup_, std::move(function_));
    if (!offload_pool(*strand.shard).submit(job.get())) return false;
    job_ = job.release();
    strand.stop.add(stopper_);
    return true;
  }
  // What the function returned, as FlatResult; RESOURCE_EXHAUSTED when the pool's queue is full, CANCELLED
  // when the worker was asked to stop before a thread came to it. Rethrows what the function threw.
  [[nodiscard]] FlatResult<Value> await_resume() {
    if (taken_back_) return fail(Code::cancelled, "stopped before a thread of the pool came to it");
    if (job_ == nullptr) {
      Status full(Code::resource_exhausted, "the node's pool for blocking code is full: try again");
      full.with("full", "pool");
      return fail(std::move(full));
    }
    if (job_->exception) std::rethrow_exception(job_->exception);
    if (!job_->value) return fail(Code::cancelled, "stopped before a thread of the pool came to it");
    return std::move(*job_->value);
  }

 private:
  struct Job final : OffloadJob {
    Job(const Strand& of, Wakeup* waiting, Function work)
        : OffloadJob(of, waiting), function(std::move(work)) {}
    void run() noexcept override {
      try {
        if constexpr (detail::OffloadCall<Function>::wants_stop) {
          value.emplace(function(OffloadStop(stop)));
        } else {
          value.emplace(function());
        }
      } catch (...) {
        exception = std::current_exception();
      }
    }
    Function function;
    std::optional<Value> value;
    std::exception_ptr exception;
  };
  struct OnStop : StopCallback {
    explicit OnStop(Offload& of) noexcept
        : StopCallback([](StopCallback& stop) { static_cast<OnStop&>(stop).offload.stopped(); }),
          offload(of) {}
    Offload& offload;
  };
  void stopped() noexcept {
    job_->stop.store(true, std::memory_order_relaxed);
    taken_back_ = job_->take_back();
    if (!taken_back_) return;
    std::exchange(job_, nullptr)->abandon();  // the pool passes over it
    wakeup_.strand->shard->ready(wakeup_);
  }
  Function function_;
  Wakeup wakeup_;
  OnStop stopper_{*this};
  bool taken_back_ = false;
  Job* job_ = nullptr;
};

// Runs `function()` or `function(OffloadStop)` on the pool; gives what it returns as a Result.
template <class Function>
[[nodiscard]] Offload<std::decay_t<Function>> offload(Function&& function) {
  return Offload<std::decay_t<Function>>(std::forward<Function>(function));
}

}  // namespace cobus
