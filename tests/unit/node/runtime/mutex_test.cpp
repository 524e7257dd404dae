// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/mutex.hpp"

#include <gtest/gtest.h>

#include <string>

#include "node/runtime/all.hpp"
#include "node/runtime/scope.hpp"
#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using MutexTest = StrandFixture;

Task<> write(Mutex* mutex, char name, std::string* log) {
  auto guard = co_await mutex->lock();
  if (!guard) co_return;
  *log += name;
  static_cast<void>(co_await sleep(milliseconds(2)));
  *log += name;
}

TEST_F(MutexTest, KeepsOthersOutAcrossAwaits) {
  Mutex mutex;
  std::string log;
  start([](Mutex* on, std::string* into) -> Task<> {
    static_cast<void>(co_await all(write(on, 'a', into), write(on, 'b', into), write(on, 'c', into)));
  }(&mutex, &log));
  turn();
  EXPECT_TRUE(mutex.locked());
  EXPECT_FALSE(mutex.try_lock());
  for (int i = 0; i < 4; ++i) advance(milliseconds(3));
  EXPECT_EQ(log, "aabbcc");
  EXPECT_FALSE(mutex.locked());
}

TEST_F(MutexTest, IsFreeAfterTheHolderIsDestroyed) {
  Mutex mutex;
  std::string log;
  start(write(&mutex, 'a', &log));
  turn();
  EXPECT_TRUE(mutex.locked());
  drop();
  EXPECT_FALSE(mutex.locked());
}

TEST_F(MutexTest, PassesOnTheLockOfAWaiterThatIsDestroyed) {
  Mutex mutex;
  std::string log;
  auto held = mutex.try_lock();
  start([](Mutex* on, std::string* into) -> Task<> {
    auto first = std::make_unique<Scope>();
    Scope second;
    first->spawn(write(on, 'a', into));
    second.spawn(write(on, 'b', into));
    static_cast<void>(co_await sleep(milliseconds(5)));
    first.reset();
    static_cast<void>(co_await second.join());
  }(&mutex, &log));
  turn();
  clock_.advance(milliseconds(10));
  shard_.timers().advance(clock_.now());  // the sleep is over, and runs first
  held.reset();                           // granted to a, which is destroyed before it runs
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(log, "bb");
}

TEST_F(MutexTest, LockEndsWithTheTimeOrTheStop) {
  Mutex mutex;
  Code codes[2] = {};
  start([](Mutex* on, Code* into) -> Task<> {
    auto guard = co_await on->lock();
    into[0] = (co_await on->lock(milliseconds(5))).error().code();
    into[1] = (co_await on->lock()).error().code();
    guard->release();
  }(&mutex, codes));
  turn();
  advance(milliseconds(10));
  stop();
  turn();
  EXPECT_EQ(codes[0], Code::deadline_exceeded);
  EXPECT_EQ(codes[1], Code::cancelled);
  EXPECT_TRUE(mutex.try_lock());
}

}  // namespace
}  // namespace cobus
