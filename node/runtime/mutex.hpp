// SPDX-License-Identifier: Apache-2.0
//
// Mutex: one at a time, across awaits. Between two awaits nothing else of the shard runs, so it is only
// needed for what must not be interleaved although it waits in the middle:
//   auto guard = co_await mutex.lock();
//   if (!guard) co_return guard.error();
// First come, first served. Shared by coroutines of one worker or of several workers of one shard; not for
// threads. Not recursive. Nothing is allocated.
#pragma once

#include <optional>

#include "node/runtime/semaphore.hpp"

namespace cobus {

class Mutex {
 public:
  // Holds the lock until it is destroyed or release() is called. May be moved, also to another coroutine of
  // the shard, and be held across awaits. Safe after the mutex is gone.
  using Guard = Semaphore::Permits;

  // Gives Result<Guard>: at once when it is free, else when it is our turn. DEADLINE_EXCEEDED after `timeout`
  // (negative: none), CANCELLED as soon as the worker is asked to stop. A waiter whose frame is destroyed
  // after the lock was granted to it hands it on.
  [[nodiscard]] Semaphore::Acquire lock(Duration timeout = Duration(-1)) noexcept {
    return one_.acquire(1, timeout);
  }
  // Nothing when somebody holds it or waits for it.
  [[nodiscard]] std::optional<Guard> try_lock() noexcept { return one_.try_acquire(); }
  [[nodiscard]] bool locked() const noexcept { return one_.available() == 0; }

 private:
  Semaphore one_{1};
};

}  // namespace cobus
