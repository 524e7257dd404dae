// SPDX-License-Identifier: Apache-2.0
//
// Rest: lets a node's keeper sleep for as long as all its shards do, so that an idle node uses no processor.
// Each shard tells when it falls asleep and when it is back; the keeper looks around in intervals, and stays
// asleep when nobody has been awake for a whole one.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "node/runtime/clock.hpp"

namespace cobus {

class Rest {
 public:
  explicit Rest(unsigned shards) : turns_(shards) {}

  // The shard's own thread.
  void asleep(unsigned shard) noexcept { count(shard); }
  void awake(unsigned shard) noexcept {
    count(shard);
    // Either the keeper sees that the shard is awake, or the shard that the keeper rests.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (resting_.load(std::memory_order_relaxed)) [[unlikely]]
      rouse();
  }

  // The keeper waits for `interval`, and longer while every shard sleeps since its last wait.
  void wait(Duration interval) {
    std::unique_lock lock(mutex_);
    wakes_.wait_for(lock, interval, [this] { return over_; });
    const std::uint64_t seen = all_turns();
    if (over_ || seen != std::exchange(seen_, seen) || somebody_is_awake()) return;
    resting_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!somebody_is_awake()) wakes_.wait(lock, [this] { return over_ || !resting_.load(); });
    resting_.store(false, std::memory_order_relaxed);
  }
  // Ends every wait(), this one and those to come. Any thread.
  void end() noexcept {
    const std::scoped_lock lock(mutex_);
    over_ = true;
    wakes_.notify_all();
  }

 private:
  struct alignas(64) Turn {
    std::atomic<std::uint64_t> count{0};  // even: awake
  };
  void count(unsigned shard) noexcept {
    std::atomic<std::uint64_t>& count = turns_[shard].count;
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void rouse() noexcept {
    const std::scoped_lock lock(mutex_);
    resting_.store(false, std::memory_order_relaxed);
    wakes_.notify_all();
  }
  [[nodiscard]] std::uint64_t all_turns() const noexcept {
    std::uint64_t sum = 0;
    for (const Turn& turn : turns_) sum += turn.count.load(std::memory_order_relaxed);
    return sum;
  }
  [[nodiscard]] bool somebody_is_awake() const noexcept {
    return std::ranges::any_of(
        turns_, [](const Turn& turn) { return turn.count.load(std::memory_order_relaxed) % 2 == 0; });
  }

  std::vector<Turn> turns_;
  std::atomic<bool> resting_{false};
  std::mutex mutex_;
  std::condition_variable wakes_;
  bool over_ = false;           // guarded by mutex_
  std::uint64_t seen_ = ~0ULL;  // the keeper's
};

}  // namespace cobus
