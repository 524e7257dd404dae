// SPDX-License-Identifier: Apache-2.0
//
// AwaitPoint: where a suspended coroutine stands: at which await, since when, and what it waits for. Every
// promise of ours is one, so whoever looks inside can follow the awaits of a worker from its outermost
// coroutine to the innermost. Written by the coroutine at each await; read on its shard, between two turns
// of it. It explains; nothing is decided by it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <type_traits>

#include "node/runtime/clock.hpp"

namespace cobus {

struct Strand;

// What an awaitable waits for. It says so with `static constexpr AwaitKind awaits`.
enum class AwaitKind : std::uint8_t {
  unknown,
  task,      // another coroutine: the next in the chain
  branches,  // tasks side by side: all, any, race, with_timeout
  scope,     // the children of a scope
  time,
  turn,  // to be next on its shard
  message,
  answer,   // of a call
  item,     // of a remote stream
  credit,   // from the consumer of its stream
  mailbox,  // room in another's
  change,
  event,
  permit,  // of a semaphore or mutex
  channel,
  thread,  // something that another thread finishes
  pool,    // code that blocks
};
// "a message"
[[nodiscard]] constexpr const char* await_kind_name(AwaitKind kind) noexcept {
  constexpr const char* names[] = {"",
                                   "a task",
                                   "tasks side by side",
                                   "the children of a scope",
                                   "time to pass",
                                   "its turn on the shard",
                                   "a message",
                                   "the answer to a call",
                                   "an item of a stream",
                                   "credit from the consumer",
                                   "room in a mailbox",
                                   "a change",
                                   "an event",
                                   "a mutex or semaphore",
                                   "a channel",
                                   "another thread",
                                   "the pool for blocking code"};
  return names[static_cast<std::size_t>(kind)];
}

namespace detail {

// The time of the turn that runs on this thread, in nanoseconds; 0 before the first. What Shard::now() is,
// without a way to the shard.
[[gnu::visibility("default")]] inline constinit thread_local std::uint64_t turn_time_ns = 0;

struct AwaitPoint;

// Coroutines that run side by side in one worker: no single chain of awaits leads to all of them.
class AwaitGroup {
 public:
  // Calls `visit` with each that runs: its number, and its outermost coroutine or null before and after that.
  using Visit = std::function<void(std::size_t number, const AwaitPoint* outermost)>;
  virtual void each_running(const Visit& visit) = 0;
  // The strand of their own that they run on, if they have one.
  [[nodiscard]] virtual const Strand* own_strand() const noexcept { return nullptr; }
  // The next of those that began on the same strand.
  [[nodiscard]] AwaitGroup* next() const noexcept { return next_; }

  AwaitGroup(const AwaitGroup&) = delete;
  AwaitGroup& operator=(const AwaitGroup&) = delete;

 protected:
  AwaitGroup() noexcept = default;
  ~AwaitGroup() { leave(); }
  void enter(AwaitGroup*& first) noexcept {
    next_ = first;
    if (next_ != nullptr) next_->held_by_ = &next_;
    held_by_ = &first;
    first = this;
  }

 private:
  friend struct cobus::Strand;
  void leave() noexcept {
    if (held_by_ == nullptr) return;
    *held_by_ = next_;
    if (next_ != nullptr) next_->held_by_ = held_by_;
    held_by_ = nullptr;
  }
  AwaitGroup* next_ = nullptr;
  AwaitGroup** held_by_ = nullptr;  // null: it is in no list
};

// What a coroutine stands on, while it awaits something of ours.
struct AwaitLink {
  union {
    AwaitPoint* inner = nullptr;  // a coroutine
    AwaitGroup* group;            // of a point of the kind `branches`
  };
};

template <class Awaitable>
[[nodiscard]] constexpr AwaitKind await_kind_of() noexcept {
  if constexpr (requires { std::remove_cvref_t<Awaitable>::awaits; }) {
    return std::remove_cvref_t<Awaitable>::awaits;
  } else {
    return AwaitKind::unknown;
  }
}

struct AwaitPoint : AwaitLink {
  std::source_location where;  // line 0: it has not come to an await yet

  void stands_at(std::source_location at, AwaitKind kind) noexcept {
    where = at;
    since_and_kind_ = turn_time_ns << kind_bits | static_cast<std::uint64_t>(kind);
  }
  [[nodiscard]] AwaitKind kind() const noexcept { return static_cast<AwaitKind>(since_and_kind_ & 0xff); }
  // How long it has stood there, right to the length of a turn.
  [[nodiscard]] Duration age(TimePoint now) const noexcept {
    const auto now_ns = static_cast<std::uint64_t>(now.time_since_epoch().count());
    const std::uint64_t age = (now_ns << kind_bits) - (since_and_kind_ & ~std::uint64_t{0xff});
    return std::max(Duration(static_cast<std::int64_t>(age) >> kind_bits), Duration(0));
  }

 private:
  static constexpr unsigned kind_bits = 8;  // 56 bits of nanoseconds are two years
  std::uint64_t since_and_kind_ = 0;
};

}  // namespace detail
}  // namespace cobus
