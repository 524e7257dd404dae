// SPDX-License-Identifier: Apache-2.0
//
// Loop: the ordinary life of a shard's thread: turn, flush, wait. And the ordinary way to wait.
#pragma once

#include <condition_variable>
#include <mutex>

#include "node/runtime/shard.hpp"

namespace cobus {

// Sleeps on a condition variable. For every shard but the one that runs the link.
class ThreadWaiter final : public Waiter {
 public:
  void wait(Duration longest) override {
    std::unique_lock lock(mutex_);
    if (longest < Duration(0)) {
      woken_.wait(lock, [this] { return signalled_; });
    } else {
      woken_.wait_for(lock, longest, [this] { return signalled_; });
    }
    signalled_ = false;
  }
  void wake() noexcept override {
    {
      const std::scoped_lock lock(mutex_);
      signalled_ = true;
    }
    woken_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable woken_;
  bool signalled_ = false;  // guarded by mutex_
};

}  // namespace cobus
