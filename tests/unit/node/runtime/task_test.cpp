// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/task.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "node/runtime/signal.hpp"
#include "node/runtime/stream.hpp"
#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using TaskTest = StrandFixture;
using StreamTest = StrandFixture;

Task<int> one() { co_return 1; }

Task<long> add_up(int times) {
  long sum = 0;
  for (int i = 0; i < times; ++i) sum += co_await one();
  co_return sum;
}

Task<int> nested(int depth) {
  if (depth == 0) co_return 0;
  const int below = co_await nested(depth - 1);
  co_return below + 1;
}

Task<> hold(Counted /*held*/, Signal* signal) { static_cast<void>(co_await signal->wait()); }

TEST_F(TaskTest, DoesNothingUntilAwaited) {
  bool ran = false;
  auto task = [](bool* flag) -> Task<> {
    *flag = true;
    co_return;
  }(&ran);
  EXPECT_FALSE(ran);
  run(std::move(task));
  EXPECT_TRUE(ran);
}

TEST_F(TaskTest, AMillionSynchronousCompletionsNeedNoStack) {
  long sum = 0;
  run([](long* into) -> Task<> { *into = co_await add_up(1'000'000); }(&sum));
  EXPECT_EQ(sum, 1'000'000);
}

TEST_F(TaskTest, ReturnsThroughAHundredThousandNestedTasksWithoutStack) {
  int depth = 0;
  run([](int* into) -> Task<> { *into = co_await nested(100'000); }(&depth));
  EXPECT_EQ(depth, 100'000);
}

TEST_F(TaskTest, RethrowsWhereItIsAwaited) {
  std::string caught;
  run([](std::string* into) -> Task<> {
    try {
      co_await []() -> Task<> {
        throw std::runtime_error("broken");
        co_return;
      }();
    } catch (const std::exception& error) {
      *into = error.what();
    }
  }(&caught));
  EXPECT_EQ(caught, "broken");
}

TEST_F(TaskTest, DestroyedWhileItWaitsFreesWhatItHolds) {
  int live = 0;
  Signal signal;
  start(hold(Counted(&live), &signal));
  turn();
  EXPECT_EQ(live, 1);
  drop();
  EXPECT_EQ(live, 0);
  signal.notify();  // nobody is left to be woken
  turn();
}

Stream<int> count_to(int last) {
  for (int i = 1; i <= last; ++i) co_yield i;
}

TEST_F(StreamTest, YieldsEachItemThenEnds) {
  int sum = 0;
  bool ok = false;
  run([](int* into, bool* ended) -> Task<> {
    auto numbers = count_to(100);
    while (auto number = co_await numbers.next()) *into += *number;
    *ended = numbers.status().ok();
  }(&sum, &ok));
  EXPECT_EQ(sum, 5050);
  EXPECT_TRUE(ok);
}

TEST_F(StreamTest, EndsWithTheStatusItFailedWith) {
  Status status;
  int items = 0;
  run([](Status* into, int* count) -> Task<> {
    auto failing = []() -> Stream<int> {
      co_yield 1;
      co_yield fail(Code::data_loss, "torn");
    }();
    while (co_await failing.next()) ++*count;
    *into = failing.status();
  }(&status, &items));
  EXPECT_EQ(items, 1);
  EXPECT_EQ(status, Status(Code::data_loss, "torn"));
}

TEST_F(StreamTest, AMillionItemsNeedNoStack) {
  long items = 0;
  run([](long* count) -> Task<> {
    auto numbers = count_to(1'000'000);
    while (co_await numbers.next()) ++*count;
  }(&items));
  EXPECT_EQ(items, 1'000'000);
}

TEST_F(TaskTest, SleepEndsEarlyWhenStopped) {
  Status status;
  start([](Status* into) -> Task<> { *into = co_await sleep(std::chrono::hours(1)); }(&status));
  turn();
  stop();
  turn();
  EXPECT_EQ(status.code(), Code::cancelled);
}

}  // namespace
}  // namespace cobus
