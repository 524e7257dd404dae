// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/any.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using AnyTest = StrandFixture;

Result<int> refused(std::string why) { return fail(Code::unavailable, std::move(why)); }

TEST_F(AnyTest, GivesTheFirstThatIsOkAndDestroysTheOthers) {
  int live = 0;
  int live_after = -1;
  Winner<std::monostate> winner;
  start([](int* count, int* left, Winner<std::monostate>* into) -> Task<> {
    auto first = co_await any(after(milliseconds(2), Status(Code::unavailable, "away")),
                              pause(milliseconds(5)), pause_holding(milliseconds(50), count));
    *left = *count;
    *into = *first;
  }(&live, &live_after, &winner));
  turn();
  EXPECT_EQ(live, 1);
  advance(milliseconds(10));
  EXPECT_EQ(winner.index, 1U);
  EXPECT_EQ(live_after, 0);
}

TEST_F(AnyTest, GivesTheLastErrorWhenAllFail) {
  Status error;
  start([](Status* into) -> Task<> {
    auto first = co_await any(after(milliseconds(9), refused("late")), at_once(refused("at once")),
                              after(milliseconds(2), refused("soon")));
    *into = first.error();
  }(&error));
  turn();
  advance(milliseconds(20));
  EXPECT_EQ(error, Status(Code::unavailable, "late"));
}

TEST_F(AnyTest, AnExceptionCountsAsFailure) {
  int value = 0;
  start([](int* into) -> Task<> {
    auto first = co_await any(throw_after<int>(milliseconds(1), "broken"), after(milliseconds(5), 5));
    *into = first.value;
  }(&value));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(value, 5);
}

TEST_F(AnyTest, RethrowsWhenTheLastFailureWasAnException) {
  std::string what;
  start([](std::string* into) -> Task<> {
    try {
      static_cast<void>(co_await any(after(milliseconds(1), refused("no")),
                                     throw_after<Result<int>>(milliseconds(5), "broken")));
    } catch (const std::exception& error) {
      *into = error.what();
    }
  }(&what));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(what, "broken");
}

TEST_F(AnyTest, GivesAVariantForDifferentTypes) {
  std::string text;
  start([](std::string* into) -> Task<> {
    Result<std::variant<int, std::string>> first =
        co_await any(after(milliseconds(1), refused("no")), after(milliseconds(5), std::string("yes")));
    *into = std::get<1>(*first);
  }(&text));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(text, "yes");
}

TEST_F(AnyTest, TakesAVectorThatIsNotEmpty) {
  Winner<int> winner;
  bool refused_none = false;
  start([](Winner<int>* into, bool* threw) -> Task<> {
    std::vector<Task<Result<int>>> tasks;
    tasks.push_back(at_once(refused("no")));
    tasks.push_back(after(milliseconds(3), Result<int>(3)));
    tasks.push_back(after(milliseconds(2), Result<int>(2)));
    *into = *co_await any(std::move(tasks));
    try {
      static_cast<void>(co_await any(std::vector<Task<int>>()));
    } catch (const std::invalid_argument&) {
      *threw = true;
    }
  }(&winner, &refused_none));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(winner.index, 2U);
  EXPECT_EQ(winner.value, 2);
  EXPECT_TRUE(refused_none);
}

TEST_F(AnyTest, IsCancelledWhenTheWorkerIsToStop) {
  Code code = Code::ok;
  start([](Code* into) -> Task<> {
    *into = (co_await any(pause(milliseconds(50)), pause(milliseconds(50)))).error().code();
  }(&code));
  turn();
  stop();
  turn();
  EXPECT_EQ(code, Code::cancelled);
}

TEST_F(AnyTest, DestroyedWhileItWaitsItDestroysItsTasks) {
  int live = 0;
  start([](int* count) -> Task<> {
    static_cast<void>(co_await any(pause_holding(milliseconds(50), count), pause(milliseconds(50))));
  }(&live));
  turn();
  EXPECT_EQ(live, 1);
  drop();
  EXPECT_EQ(live, 0);
  advance(milliseconds(100));
}

}  // namespace
}  // namespace cobus
