// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/with_timeout.hpp"

#include <gtest/gtest.h>

#include <string>

#include "node/runtime/signal.hpp"
#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using WithTimeoutTest = StrandFixture;

TEST_F(WithTimeoutTest, GivesWhatTheTaskGivesInTime) {
  Result<int> result = 0;
  Result<int> flat = 0;
  Status status(Code::unknown, "");
  Result<void> nothing = fail(Code::unknown, "");
  start([](Result<int>* into, Result<int>* same, Status* plain, Result<void>* none) -> Task<> {
    *into = co_await with_timeout(milliseconds(10), after(milliseconds(5), 3));
    *same = co_await with_timeout(milliseconds(10), at_once(Result<int>(fail(Code::not_found, "no"))));
    *plain = co_await with_timeout(milliseconds(10), pause(milliseconds(5)));
    *none = co_await with_timeout(milliseconds(10), []() -> Task<> { co_return; }());
  }(&result, &flat, &status, &nothing));
  turn();
  advance(milliseconds(6));
  advance(milliseconds(6));
  EXPECT_EQ(*result, 3);
  EXPECT_EQ(flat.error(), Status(Code::not_found, "no"));
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(nothing);
}

TEST_F(WithTimeoutTest, DestroysTheTaskThatTakesLonger) {
  int live = 0;
  int live_after = -1;
  Status status;
  start([](int* count, int* left, Status* into) -> Task<> {
    *into = co_await with_timeout(milliseconds(10), pause_holding(milliseconds(50), count));
    *left = *count;
  }(&live, &live_after, &status));
  turn();
  EXPECT_EQ(live, 1);
  advance(milliseconds(12));
  EXPECT_EQ(status, Status(Code::deadline_exceeded, "took longer than 10 ms"));
  EXPECT_EQ(live_after, 0);
}

TEST_F(WithTimeoutTest, HasNoBoundWhenTheTimeIsNegative) {
  Result<int> result = 0;
  start([](Result<int>* into) -> Task<> {
    *into = co_await with_timeout(Duration(-1), after(std::chrono::hours(100), 3));
  }(&result));
  turn();
  advance(std::chrono::hours(101));
  EXPECT_EQ(*result, 3);
}

TEST_F(WithTimeoutTest, TaskAndTimeInOneTurnResumeOnce) {
  int resumed = 0;
  start([](int* count) -> Task<> {
    static_cast<void>(co_await with_timeout(milliseconds(10), pause(milliseconds(10))));
    ++*count;
    static_cast<void>(co_await sleep(milliseconds(100)));
    ++*count;
  }(&resumed));
  turn();
  advance(milliseconds(50));
  EXPECT_EQ(resumed, 1);
  advance(milliseconds(200));
  EXPECT_EQ(resumed, 2);
}

TEST_F(WithTimeoutTest, RethrowsWhatTheTaskThrows) {
  std::string what;
  start([](std::string* into) -> Task<> {
    try {
      static_cast<void>(co_await with_timeout(milliseconds(10), throw_after(milliseconds(1), "broken")));
    } catch (const std::exception& error) {
      *into = error.what();
    }
  }(&what));
  turn();
  advance(milliseconds(5));
  EXPECT_EQ(what, "broken");
}

TEST_F(WithTimeoutTest, IsCancelledWhenTheWorkerIsToStop) {
  Status status;
  start([](Status* into) -> Task<> {
    *into = co_await with_timeout(milliseconds(10), pause(milliseconds(50)));
  }(&status));
  turn();
  stop();
  turn();
  EXPECT_EQ(status.code(), Code::cancelled);
}

Task<Status> ignore_stop(Signal* signal) {
  while (!(co_await signal->wait()).ok()) co_await yield();
  co_return Status();
}

TEST_F(WithTimeoutTest, BoundsATaskThatIgnoresTheStop) {
  Status status;
  Signal never_comes;
  start([](Status* into, Signal* signal) -> Task<> {
    *into = co_await with_timeout(milliseconds(10), ignore_stop(signal));
  }(&status, &never_comes));
  shard_.turn();
  stop();
  shard_.turn();
  EXPECT_TRUE(status.ok());
  clock_.advance(milliseconds(12));
  shard_.turn();
  EXPECT_EQ(status.code(), Code::deadline_exceeded);
}

TEST_F(WithTimeoutTest, DestroyedWhileItWaitsItDestroysTheTask) {
  int live = 0;
  start([](int* count) -> Task<> {
    static_cast<void>(co_await with_timeout(milliseconds(10), pause_holding(milliseconds(50), count)));
  }(&live));
  turn();
  EXPECT_EQ(live, 1);
  drop();
  EXPECT_EQ(live, 0);
  advance(milliseconds(100));
}

}  // namespace
}  // namespace cobus
