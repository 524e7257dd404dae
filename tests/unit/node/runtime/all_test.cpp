// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/all.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "node/runtime/with_timeout.hpp"
#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using AllTest = StrandFixture;

Task<> wait_then_add(Duration wait, int value, int* sum) {
  static_cast<void>(co_await sleep(wait));
  *sum += value;
}

TEST_F(AllTest, GivesWhatEachTaskGaveInTheirOrder) {
  std::string got;
  start([](std::string* into) -> Task<> {
    auto [late, nothing, soon] =
        co_await all(after(milliseconds(9), 1), after(milliseconds(1), std::monostate()),
                     after(milliseconds(2), std::make_unique<std::string>("two")));
    static_cast<void>(nothing);
    *into = std::to_string(late) + *soon;
  }(&got));
  turn();
  advance(milliseconds(20));
  EXPECT_EQ(got, "1two");
}

TEST_F(AllTest, RunsThemSideBySide) {
  int sum = 0;
  start([](int* into) -> Task<> {
    static_cast<void>(
        co_await all(wait_then_add(milliseconds(10), 1, into), wait_then_add(milliseconds(10), 2, into)));
    *into += 100;
  }(&sum));
  turn();
  advance(milliseconds(11));
  EXPECT_EQ(sum, 103);
}

TEST_F(AllTest, GivesAVectorForAVectorOfTasks) {
  std::vector<int> got;
  std::size_t of_none = 1;
  start([](std::vector<int>* into, std::size_t* empty) -> Task<> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(after(milliseconds(10 - i), i));
    *into = co_await all(std::move(tasks));
    *empty = (co_await all(std::vector<Task<int>>())).size();
  }(&got, &of_none));
  turn();
  advance(milliseconds(20));
  EXPECT_EQ(got, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(of_none, 0U);
}

TEST_F(AllTest, WaitsForAVectorOfTasksThatGiveNothing) {
  int sum = 0;
  start([](int* into) -> Task<> {
    std::vector<Task<>> tasks;
    for (int i = 1; i <= 4; ++i) tasks.push_back(wait_then_add(milliseconds(i), i, into));
    co_await all(std::move(tasks));
    *into *= 10;
  }(&sum));
  turn();
  advance(milliseconds(20));
  EXPECT_EQ(sum, 100);
}

TEST_F(AllTest, AFailedResultIsAValueLikeAnyOther) {
  Code code = Code::ok;
  int other = 0;
  start([](Code* into, int* value) -> Task<> {
    auto [failed, good] =
        co_await all(at_once(Result<int>(fail(Code::not_found, "no"))), after(milliseconds(5), 7));
    *into = failed.error().code();
    *value = good;
  }(&code, &other));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(code, Code::not_found);
  EXPECT_EQ(other, 7);
}

TEST_F(AllTest, RethrowsAfterTheOthersWereDestroyed) {
  int live = 0;
  int live_when_caught = -1;
  std::string what;
  start([](int* count, int* at_catch, std::string* into) -> Task<> {
    try {
      static_cast<void>(co_await all(pause_holding(milliseconds(50), count),
                                     throw_after(milliseconds(5), "second"),
                                     pause_holding(milliseconds(50), count)));
    } catch (const std::exception& error) {
      *at_catch = *count;
      *into = error.what();
    }
  }(&live, &live_when_caught, &what));
  turn();
  EXPECT_EQ(live, 2);
  advance(milliseconds(10));
  EXPECT_EQ(what, "second");
  EXPECT_EQ(live_when_caught, 0);
}

TEST_F(AllTest, StartsNobodyOnceOneHasThrown) {
  std::string what;
  bool started = false;
  run([](std::string* into, bool* flag) -> Task<> {
    try {
      static_cast<void>(co_await all(throw_after(Duration(0), "first"), raise(flag)));
    } catch (const std::exception& error) {
      *into = error.what();
    }
  }(&what, &started));
  EXPECT_EQ(what, "first");
  EXPECT_FALSE(started);
}

TEST_F(AllTest, DestroyedWhileItWaitsItDestroysItsTasks) {
  int live = 0;
  start([](int* count) -> Task<> {
    static_cast<void>(co_await all(pause_holding(milliseconds(50), count), at_once(1),
                                   pause_holding(milliseconds(60), count)));
  }(&live));
  turn();
  advance(milliseconds(1));
  EXPECT_EQ(live, 2);
  drop();
  EXPECT_EQ(live, 0);
  advance(milliseconds(100));
}

TEST_F(AllTest, EveryTaskHearsThatTheWorkerIsToStop) {
  Code codes[2] = {};
  start([](Code* into) -> Task<> {
    auto [first, second] = co_await all(pause(milliseconds(50)), pause(milliseconds(60)));
    into[0] = first.code();
    into[1] = second.code();
  }(codes));
  turn();
  stop();
  turn();
  EXPECT_EQ(codes[0], Code::cancelled);
  EXPECT_EQ(codes[1], Code::cancelled);
}

TEST_F(AllTest, NestsInOthers) {
  int sum = 0;
  start([](int* into) -> Task<> {
    auto outer = co_await with_timeout(
        milliseconds(100), all(all(at_once(1), after(milliseconds(3), 2)), all(after(milliseconds(2), 4))));
    auto& [left, right] = *outer;
    *into = std::get<0>(left) + std::get<1>(left) + std::get<0>(right);
  }(&sum));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(sum, 7);
}

}  // namespace
}  // namespace cobus
