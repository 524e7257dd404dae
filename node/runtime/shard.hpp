// SPDX-License-Identifier: Apache-2.0
//
// Shard: one thread's share of a node: a run queue, timers, and an inbox that other threads post to.
// A strand (a worker, seen from below) lives on one shard for its whole life and is resumed only
// there, so between two awaits nothing else of the shard runs. The shard knows no messages and no
// network; whoever drives it calls turn() and waits in between (loop.hpp, or the simulator).
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "node/runtime/await_point.hpp"
#include "node/runtime/check.hpp"
#include "node/runtime/clock.hpp"
#include "node/runtime/list.hpp"
#include "node/runtime/random.hpp"
#include "node/runtime/stop.hpp"
#include "node/runtime/timer_wheel.hpp"
#include "proto/address.hpp"
#include "proto/limits.hpp"

namespace cobus {

class Shard;

// What the runtime knows of a worker, or of the children of one Scope in it: where its coroutines are
// resumed and how all of them are asked to stop.
struct Strand {
  Strand() noexcept = default;
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;
  ~Strand();

  Shard* shard = nullptr;
  Strand* whole = nullptr;                // the worker that it is a part of; null: it is a worker itself
  const char* kind = "";                  // static storage: the name in reports
  WorkerId id;                            // of the worker
  std::uint64_t cpu_ns = 0;               // sampled: right in the long run
  detail::AwaitGroup* scopes = nullptr;   // that began on it, the last one first; for whoever looks inside
  [[no_unique_address]] StopSource stop;  // last: what derives from a strand uses the bytes behind its flag
};

// A suspended coroutine that is to be resumed. Embedded in the awaiter, so it lives exactly as long
// as the wait; destroying it takes it out of every queue.
struct Wakeup : ListHook {
  std::coroutine_handle<> coroutine;
  Strand* strand = nullptr;
};

// Something another thread hands to a shard. It owns itself until delivered.
class InboxItem {
 public:
  virtual ~InboxItem() = default;
  // On the shard's thread. Takes over the ownership of *this.
  virtual void deliver(Shard& shard) noexcept = 0;

 private:
  friend class Shard;
  InboxItem* next_in_inbox_ = nullptr;
};

// How a shard's thread sleeps and is woken.
class Waiter {
 public:
  virtual ~Waiter() = default;
  // Sleeps up to `longest` (negative = until woken). May return early. The shard's thread.
  virtual void wait(Duration longest) = 0;
  // Makes the present or the next wait() return. Any thread.
  virtual void wake() noexcept = 0;
  // Looks once for what it waits for besides posts to the shard, without sleeping, and delivers it; may use
  // up a wake(). Whether there was something, for whichever shard. The shard's thread.
  [[nodiscard]] virtual bool glance() { return false; }
};

class Shard {
 public:
  struct Report {
    WorkerId id;  // of the worker that held the shard; none: it was what came in: items and timers
    const char* kind;
    Duration held;
    Strand* strand;  // null when it has ended
  };
  // Who runs in a turn that goes on.
  struct Holder {
    WorkerId id;  // none: as above
    const char* kind;
    TimePoint since;  // when the turn began
  };
  using StallReport = void (*)(void* context, const Report& report);

  // `clock`, `random` and `waiter` must outlive the shard. The clock goes on while the shard waits. `owner`
  // is whatever the layer above needs to find from a shard; not used here.
  Shard(std::uint32_t index, const Clock& clock, Random& random, Waiter& waiter, void* owner) noexcept;
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // The shard whose turn runs on this thread; null outside of a turn.
  [[nodiscard]] static Shard* current() noexcept { return current_; }
  // The strand that runs on this thread now. Only inside of one.
  [[nodiscard]] static Strand& strand() noexcept {
    COBUS_CHECK(current_ != nullptr && current_->running_ != nullptr);
    return *current_->running_;
  }
  // Whether the worker `strand`, or a part of it, is being resumed right now. The shard's thread.
  [[nodiscard]] bool runs(const Strand& strand) const noexcept {
    return running_ != nullptr && (running_ == &strand || running_->whole == &strand);
  }

  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
  [[nodiscard]] void* owner() const noexcept { return owner_; }
  // Time at the start of this turn: cheap, and never early by more than the turn lasts.
  [[nodiscard]] TimePoint now() const noexcept { return now_; }
  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }
  [[nodiscard]] Random& random() noexcept { return random_; }
  [[nodiscard]] TimerWheel& timers() noexcept { return timers_; }
  [[nodiscard]] const TimerWheel& timers() const noexcept { return timers_; }

  // Queues a suspended coroutine. The shard's thread. What somebody who runs now wakes goes first, since
  // it is likely in the cache, but not more than three times in a row.
  void ready(Wakeup& wakeup) noexcept {
    if (running_ != nullptr && next_.empty() && !shuffle_) {
      next_.push_back(wakeup);
    } else {
      ready_.push_back(wakeup);
    }
  }
  // Behind everything else that is ready.
  void ready_last(Wakeup& wakeup) noexcept { ready_.push_back(wakeup); }
  // Hands over an item; items of one thread are delivered in order. Any thread.
  void post(InboxItem* item) noexcept;
  // Items that one thread collects for one shard, to hand them over at once and in order.
  class Chain {
   public:
    Chain() noexcept = default;
    Chain(Chain&& other) noexcept
        : newest_(std::exchange(other.newest_, nullptr)), oldest_(std::exchange(other.oldest_, nullptr)) {}
    Chain& operator=(Chain&&) = delete;
    ~Chain() { clear(); }
    void add(InboxItem* item) noexcept;
    [[nodiscard]] bool empty() const noexcept { return newest_ == nullptr; }

   private:
    friend class Shard;
    void clear() noexcept;
    InboxItem* newest_ = nullptr;
    InboxItem* oldest_ = nullptr;
  };
  // The chain is empty afterwards. Any thread.
  void post(Chain& chain) noexcept;

  // Runs until nothing is ready or the budget of a turn (128 resumptions and awaits that complete at once, or
  // 500 us) is spent. True when there is more to do at once. The shard's thread.
  bool turn();
  // Counts an await that could complete at once. False when the budget of the turn is spent: then it has to
  // let others run first, or whoever finds everything ready would hold the shard for ever.
  [[nodiscard]] bool spend() noexcept {
    return --left_ > 0 && (left_ % awaits_per_clock_reading != 0 || in_time());
  }
  // Whether a turn would find something to do at once. The shard's thread.
  [[nodiscard]] bool busy() const noexcept {
    return !ready_.empty() || !next_.empty() || inbox_.load(std::memory_order_relaxed) != nullptr;
  }
  // Sleeps until a post, a timer or `longest`. When its waits have been short lately it looks about for a
  // while first, letting other threads run in between: to fall asleep and to be woken take about as long. The
  // shard's thread, after turn() returned false.
  void wait(Duration longest = Duration(-1));
  // From a waiter that delivers events itself: the shard is awake, nobody need wake it.
  void awake() noexcept { asleep_.store(false, std::memory_order_relaxed); }

  // Tells `report` of every resumption that held the shard longer than limits::stall_after.
  void on_stall(StallReport report, void* context) noexcept {
    stall_report_ = report;
    stall_context_ = context;
  }
  // The turn that goes on now, if one does. Turns are short, so one that began long ago is held up by whoever
  // runs. Any thread.
  [[nodiscard]] std::optional<Holder> holder() const noexcept;
  // For how long it looks about at most; 0: it sleeps at once. Before its first turn.
  void idle_poll(Duration longest) noexcept { idle_poll_max_ = longest; }
  // Chooses at random among what is ready instead of first come, first served. For the simulator.
  void shuffle(bool on) noexcept { shuffle_ = on; }

  // Runs `strand`'s coroutine now, outside the queue: only for starting and ending strands.
  void resume(Strand& strand, std::coroutine_handle<> coroutine);

  [[nodiscard]] std::uint64_t resumptions() const noexcept {
    return resumptions_.load(std::memory_order_relaxed);
  }

 private:
  friend struct Strand;
  static constexpr int awaits_per_clock_reading = 32;
  void post_chain(InboxItem* newest, InboxItem* oldest) noexcept;
  bool drain_inbox() noexcept;
  bool in_time() noexcept;
  void begin_turn() noexcept;
  [[nodiscard]] bool look_about(TimePoint& since, TimePoint due);
  void sleep(TimePoint due);
  void charge(WorkerId id, const char* kind, Duration held) noexcept;
  void rotate() noexcept;
  Wakeup* next_ready() noexcept;

  void set_time(TimePoint now) noexcept {
    now_ = now;
    detail::turn_time_ns = static_cast<std::uint64_t>(now.time_since_epoch().count());
  }

  // One a thread, also in a module that hides its symbols.
  [[gnu::visibility("default")]] inline static constinit thread_local Shard* current_ = nullptr;

  // constant after construction
  const std::uint32_t index_;
  const Clock& clock_;
  Random& random_;
  Waiter& waiter_;
  void* const owner_;

  // the shard's thread only
  TimePoint now_;
  TimePoint turn_began_;
  int left_ = 0;  // of the budget of this turn
  TimerWheel timers_;
  List<Wakeup> ready_;
  List<Wakeup> next_;  // at most one: what goes before all of ready_
  int in_a_row_ = 0;   // taken from next_
  Strand* running_ = nullptr;
  bool shuffle_ = false;
  Duration idle_poll_{};  // for how long it looks about before it sleeps
  Duration idle_poll_max_ = limits::idle_poll_max;
  StallReport stall_report_ = nullptr;
  void* stall_context_ = nullptr;
  // written by the shard, read by anybody
  std::atomic<std::uint64_t> resumptions_{0};
  std::atomic<std::int64_t> turn_since_ns_{0};  // 0: between two turns
  std::atomic<std::uint64_t> runs_id_{0};
  std::atomic<const char*> runs_kind_{""};

  // any thread
  alignas(64) std::atomic<InboxItem*> inbox_{nullptr};
  std::atomic<bool> asleep_{false};
};

inline Strand::~Strand() {
  if (shard != nullptr && shard->running_ == this) shard->running_ = nullptr;
  while (scopes != nullptr) scopes->leave();
}

}  // namespace cobus
