// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/shard.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "node/runtime/check.hpp"
#include "proto/limits.hpp"

namespace cobus {
namespace {

constexpr int awaits_per_turn = 128;
constexpr Duration turn_longest = std::chrono::microseconds(500);
constexpr int from_next_max = 3;
// What a shard looks about for after its first short wait.
constexpr Duration idle_poll_first = std::chrono::microseconds(10);

}  // namespace

Shard::Shard(std::uint32_t index, const Clock& clock, Random& random, Waiter& waiter, void* owner) noexcept
    : index_(index),
      clock_(clock),
      random_(random),
      waiter_(waiter),
      owner_(owner),
      now_(clock.now()),
      timers_(now_) {}

Shard::~Shard() {
  Chain rest;
  rest.newest_ = inbox_.exchange(nullptr, std::memory_order_acquire);
}

void Shard::Chain::clear() noexcept {
  while (newest_ != nullptr) delete std::exchange(newest_, newest_->next_in_inbox_);
}

void Shard::post(InboxItem* item) noexcept { post_chain(item, item); }

void Shard::Chain::add(InboxItem* item) noexcept {
  item->next_in_inbox_ = newest_;
  newest_ = item;
  if (oldest_ == nullptr) oldest_ = item;
}

void Shard::post(Chain& chain) noexcept {
  if (chain.newest_ != nullptr)
    post_chain(std::exchange(chain.newest_, nullptr), std::exchange(chain.oldest_, nullptr));
}

void Shard::post_chain(InboxItem* newest, InboxItem* oldest) noexcept {
  InboxItem* head = inbox_.load(std::memory_order_relaxed);
  do {
    oldest->next_in_inbox_ = head;
  } while (!inbox_.compare_exchange_weak(head, newest, std::memory_order_seq_cst, std::memory_order_relaxed));
  // Pairs with wait(): either it sees the item, or we see that it sleeps.
  if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false, std::memory_order_seq_cst))
    waiter_.wake();
}

bool Shard::drain_inbox() noexcept {
  if (inbox_.load(std::memory_order_relaxed) == nullptr) return false;
  InboxItem* newest = inbox_.exchange(nullptr, std::memory_order_acquire);
  InboxItem* oldest = nullptr;
  while (newest != nullptr) {
    InboxItem* following = newest->next_in_inbox_;
    newest->next_in_inbox_ = oldest;
    oldest = newest;
    newest = following;
  }
  while (oldest != nullptr) {
    InboxItem* following = oldest->next_in_inbox_;
    oldest->deliver(*this);
    oldest = following;
  }
  return true;
}

// Rotating by a few places is enough to vary the order and keeps this O(1) on average.
void Shard::rotate() noexcept {
  for (auto turns = random_.below(4); turns > 0 && !ready_.empty(); --turns) {
    ready_.push_back(*ready_.pop_front());
  }
}

inline Wakeup* Shard::next_ready() noexcept {
  if (shuffle_) [[unlikely]]
    rotate();
  if (!next_.empty() && (in_a_row_ < from_next_max || ready_.empty())) {
    in_a_row_ = std::min(in_a_row_ + 1, from_next_max);
    return next_.pop_front();
  }
  in_a_row_ = 0;
  if (ready_.empty()) return nullptr;
  return ready_.pop_front();
}

void Shard::charge(WorkerId id, const char* kind, Duration held) noexcept {
  if (running_ != nullptr)
    (running_->whole != nullptr ? running_->whole : running_)->cpu_ns +=
        static_cast<std::uint64_t>(held.count());
  if (held > limits::stall_after && stall_report_ != nullptr)
    stall_report_(stall_context_, Report{id, kind, held, running_});
}

void Shard::resume(Strand& strand, std::coroutine_handle<> coroutine) {
  Strand* const outer = std::exchange(running_, &strand);
  Shard* const outer_shard = std::exchange(current_, this);
  coroutine.resume();
  current_ = outer_shard;
  running_ = outer;
}

bool Shard::in_time() noexcept {
  set_time(clock_.now());
  return now_ - turn_began_ <= turn_longest;
}

std::optional<Shard::Holder> Shard::holder() const noexcept {
  const std::int64_t since = turn_since_ns_.load(std::memory_order_acquire);
  const Holder holder{WorkerId{runs_id_.load(std::memory_order_relaxed)},
                      runs_kind_.load(std::memory_order_relaxed), TimePoint(Duration(since))};
  std::atomic_thread_fence(std::memory_order_acquire);
  if (since == 0 || turn_since_ns_.load(std::memory_order_relaxed) != since) return std::nullopt;
  return holder;
}

// Takes in what came from elsewhere and what is due.
void Shard::begin_turn() noexcept {
  set_time(clock_.now());
  turn_began_ = now_;
  runs_id_.store(0, std::memory_order_relaxed);
  turn_since_ns_.store(now_.time_since_epoch().count(), std::memory_order_release);
  drain_inbox();
  timers_.advance(now_);
}

bool Shard::turn() {
  Shard* const outer_shard = std::exchange(current_, this);
  begin_turn();
  std::uint64_t resumed = 0;
  TimePoint before = clock_.coarse_now();
  if (before - turn_began_ > limits::stall_after) [[unlikely]]
    charge(WorkerId{}, "", before - turn_began_);
  for (left_ = awaits_per_turn; left_ > 0; --left_) {
    Wakeup* const wakeup = next_ready();
    if (wakeup == nullptr) break;
    running_ = wakeup->strand;
    const char* const kind = running_->kind;
    const WorkerId id = running_->id;
    runs_id_.store(id.value, std::memory_order_relaxed);
    runs_kind_.store(kind, std::memory_order_relaxed);
    wakeup->coroutine.resume();  // *wakeup is gone now, and the strand may be
    const TimePoint since = std::exchange(before, clock_.coarse_now());
    bool look_at_clock = left_ % awaits_per_clock_reading == 0;
    if (before != since) [[unlikely]] {
      charge(id, kind, before - since);
      look_at_clock = true;
    }
    running_ = nullptr;
    ++resumed;
    if (look_at_clock && !in_time()) break;
  }
  turn_since_ns_.store(0, std::memory_order_relaxed);
  resumptions_.store(resumptions_.load(std::memory_order_relaxed) + resumed, std::memory_order_relaxed);
  current_ = outer_shard;
  return busy();
}

// Whoever else wants the core has it meanwhile. `since` moves on with what comes for other shards: they are
// better served by who is awake.
bool Shard::look_about(TimePoint& since, TimePoint due) {
  for (TimePoint now = since; now - since < idle_poll_ && now < due; now = clock_.now()) {
    if (waiter_.glance()) since = clock_.now();
    if (busy()) return true;
    std::this_thread::yield();
  }
  return busy();
}

void Shard::sleep(TimePoint due) {
  asleep_.store(true, std::memory_order_seq_cst);
  if (inbox_.load(std::memory_order_seq_cst) == nullptr)
    waiter_.wait(due == never ? Duration(-1) : std::max(due - clock_.now(), Duration(0)));
  asleep_.store(false, std::memory_order_relaxed);
}

void Shard::wait(Duration longest) {
  TimePoint since = clock_.now();
  const TimePoint due = std::min(timers_.next(), longest < Duration(0) ? never : since + longest);
  const bool could_be_long = due == never || due - since > idle_poll_max_;
  const bool found = look_about(since, due);
  if (!found) sleep(due);
  if (found || (could_be_long && clock_.now() - since < idle_poll_max_)) {
    idle_poll_ = std::min(2 * idle_poll_ + idle_poll_first, idle_poll_max_);
  } else {
    idle_poll_ = idle_poll_ < idle_poll_first ? Duration(0) : idle_poll_ / 4;
  }
}

}  // namespace cobus
