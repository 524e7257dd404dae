// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/offload.hpp"

#include <pthread.h>

namespace cobus {

OffloadPool::OffloadPool(unsigned threads) {
  threads_.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { work(); });
    pthread_setname_np(threads_.back().native_handle(), "cobus-offload");
  }
}

OffloadPool::~OffloadPool() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    for (OffloadJob* job : queue_) static_cast<void>(job->begin());  // it will not
  }
  filled_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool OffloadPool::submit(OffloadJob* job) {
  if (threads_.empty()) {
    if (job->begin()) job->run();
    job->home().post(job);
    return true;
  }
  {
    const std::scoped_lock lock(mutex_);
    if (queue_.size() >= queue_max) return false;
    queue_.push_back(job);
  }
  filled_.notify_one();
  return true;
}

void OffloadPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    filled_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    OffloadJob* job = queue_.front();
    queue_.pop_front();
    lock.unlock();
    // Nobody wants the result of a worker that is gone or was asked to stop.
    if (job->begin()) job->run();
    job->home().post(job);
    lock.lock();
  }
}

}  // namespace cobus
