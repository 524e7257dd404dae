// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/offload.hpp"

#include <pthread.h>

namespace cobus {

OffloadPool::OffloadPool(unsigned threads) : running_(threads), working_(threads) {
  threads_.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([this, i] { work(i); });
    pthread_setname_np(threads_.back().native_handle(), "cobus-offload");
  }
}

OffloadPool::~OffloadPool() {
  while (!close(std::chrono::hours(1))) {
  }
}

bool OffloadPool::close(Duration patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (OffloadJob* job : queue_) static_cast<void>(job->begin());  // it will not
  filled_.notify_all();
  if (!ended_.wait_for(lock, patience, [this] { return working_ == 0; })) return false;
  lock.unlock();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  return true;
}

std::optional<OffloadPool::Running> OffloadPool::longest_running() const {
  const std::scoped_lock lock(mutex_);
  std::optional<Running> longest;
  for (const std::optional<Running>& one : running_) {
    if (one && (!longest || one->since < longest->since)) longest = one;
  }
  return longest;
}

bool OffloadPool::submit(OffloadJob* job) {
  if (threads_.empty()) {
    if (job->begin()) job->run();
    job->home().post(job);
    return true;
  }
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_ || queue_.size() >= queue_max) return false;
    queue_.push_back(job);
  }
  filled_.notify_one();
  return true;
}

void OffloadPool::work(unsigned thread) {
  std::unique_lock lock(mutex_);
  for (;;) {
    filled_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) break;
    OffloadJob* job = queue_.front();
    queue_.pop_front();
    running_[thread] = Running{job->id, job->kind, std::chrono::steady_clock::now()};
    lock.unlock();
    // Nobody wants the result of a worker that is gone or was asked to stop.
    if (job->begin()) job->run();
    job->home().post(job);
    lock.lock();
    running_[thread].reset();
  }
  --working_;
  ended_.notify_all();
}

}  // namespace cobus
