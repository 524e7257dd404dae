// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/offload.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/strand_fixture.hpp"

namespace cobus {
namespace {

OffloadPool* the_pool = nullptr;

class OffloadTest : public StrandFixture {
 protected:
  explicit OffloadTest(unsigned threads = 0) : pool_(threads) { the_pool = &pool_; }
  OffloadPool pool_;
};
class OffloadThreadTest : public OffloadTest {
 protected:
  OffloadThreadTest() : OffloadTest(1) {}
};

int forty_two() { return 42; }

TEST_F(OffloadTest, RunsAFunctionThatTakesNothing) {
  Result<int> from_lambda = 0;
  Result<int> from_function = 0;
  run([](Result<int>* first, Result<int>* second) -> Task<> {
    *first = co_await offload([] { return 7; });
    *second = co_await offload(forty_two);
  }(&from_lambda, &from_function));
  EXPECT_EQ(*from_lambda, 7);
  EXPECT_EQ(*from_function, 42);
}

TEST_F(OffloadTest, WhoWasAskedToStopBeginsNothingMore) {
  Result<bool> ran = true;
  start([](Result<bool>* into) -> Task<> { *into = co_await offload([] { return true; }); }(&ran));
  stop();
  turn();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code(), Code::cancelled);
}

TEST_F(OffloadTest, RethrowsWhatTheFunctionThrew) {
  std::string what;
  run([](std::string* into) -> Task<> {
    try {
      static_cast<void>(co_await offload([]() -> int { throw std::runtime_error("broken"); }));
    } catch (const std::exception& error) {
      *into = error.what();
    }
  }(&what));
  EXPECT_EQ(what, "broken");
}

TEST_F(OffloadThreadTest, AFunctionIsToldThatItsWorkerIsGone) {
  std::atomic<bool> running{false};
  std::atomic<bool> ended{false};
  start([](std::atomic<bool>* began, std::atomic<bool>* told) -> Task<> {
    static_cast<void>(co_await offload([began, told](OffloadStop stop) {
      began->store(true);
      while (!stop.requested()) std::this_thread::yield();
      told->store(true);
      return true;
    }));
  }(&running, &ended));
  turn();
  while (!running.load()) std::this_thread::yield();
  drop();
  while (!ended.load()) std::this_thread::yield();
}

TEST_F(OffloadThreadTest, AStopTellsAFunctionThatRunsAndWaitsForWhatItGives) {
  std::atomic<bool> running{false};
  Result<int> given = 0;
  start([](std::atomic<bool>* began, Result<int>* into) -> Task<> {
    *into = co_await offload([began](OffloadStop stop) {
      began->store(true);
      while (!stop.requested()) std::this_thread::yield();
      return 3;
    });
  }(&running, &given));
  turn();
  while (!running.load()) std::this_thread::yield();
  stop();
  while (!frame_.done()) turn();
  ASSERT_TRUE(given);
  EXPECT_EQ(*given, 3);
}

// What the only thread of the pool is busy with does not hold up whoever waits behind it.
TEST_F(OffloadThreadTest, W7_AStopTakesBackWhatNoThreadHasBegun) {
  std::atomic<bool> running{false};
  std::atomic<bool> let_go{false};
  std::atomic<bool> ran{false};
  Result<bool> given = true;
  const auto wait = [](std::atomic<bool>* flag, std::atomic<bool>* until) -> Task<> {
    static_cast<void>(co_await offload([flag, until] {
      flag->store(true);
      while (!until->load()) std::this_thread::yield();
      return true;
    }));
  };
  Task<>::Handle busy = wait(&running, &let_go).release();
  Strand other;
  other.shard = &shard_;
  Wakeup begin;
  begin.coroutine = busy;
  begin.strand = &other;
  shard_.ready(begin);
  turn();
  while (!running.load()) std::this_thread::yield();
  start([](std::atomic<bool>* flag, Result<bool>* into) -> Task<> {
    *into = co_await offload([flag] {
      flag->store(true);
      return true;
    });
  }(&ran, &given));
  turn();
  stop();
  turn();
  const bool went_on = frame_.done();
  let_go = true;
  while (!busy.done() || !frame_.done()) turn();
  busy.destroy();
  EXPECT_TRUE(went_on);
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().code(), Code::cancelled);
  EXPECT_FALSE(ran.load());
}

}  // namespace

OffloadPool& offload_pool(Shard& /*shard*/) noexcept { return *the_pool; }

}  // namespace cobus
