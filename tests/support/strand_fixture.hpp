// SPDX-License-Identifier: Apache-2.0
//
// StrandFixture: one shard on a manual clock with one strand, to run coroutines step by step.
#pragma once

#include <gtest/gtest.h>

#include "node/runtime/offload.hpp"
#include "node/runtime/shard.hpp"
#include "node/runtime/task.hpp"

namespace cobus {

class StrandFixture : public ::testing::Test {
 protected:
  class NoWait final : public Waiter {
    void wait(Duration /*longest*/) override {}
    void wake() noexcept override {}
  };

  ManualClock clock_;
  SeededRandom random_{1};
  NoWait waiter_;
  Shard shard_{0, clock_, random_, waiter_, nullptr};
  Strand strand_;
  Wakeup wakeup_;
  Task<>::Handle frame_;

  StrandFixture() { strand_.shard = &shard_; }
  ~StrandFixture() override { drop(); }

  void start(Task<> task) {
    frame_ = task.release();
    wakeup_.coroutine = frame_;
    wakeup_.strand = &strand_;
    shard_.ready(wakeup_);
  }
  void turn() {
    while (shard_.turn()) {
    }
  }
  void advance(Duration step) {
    clock_.advance(step);
    turn();
    turn();
  }
  // Runs to the end, or as far as it goes without time passing.
  void run(Task<> task) {
    start(std::move(task));
    turn();
    ASSERT_TRUE(frame_.done());
    if (frame_.promise().exception) std::rethrow_exception(frame_.promise().exception);
    drop();
  }
  void drop() {
    if (frame_) frame_.destroy();
    frame_ = {};
  }
  void stop() { strand_.stop.request(); }
};

}  // namespace cobus
