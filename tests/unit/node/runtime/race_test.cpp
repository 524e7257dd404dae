// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/race.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using RaceTest = StrandFixture;

TEST_F(RaceTest, GivesTheFirstAndDestroysTheOthers) {
  int live = 0;
  std::size_t index = 9;
  int live_after = -1;
  start([](int* count, std::size_t* first, int* left) -> Task<> {
    auto winner = co_await race(pause_holding(milliseconds(50), count), pause(milliseconds(5)),
                                pause_holding(milliseconds(60), count));
    *first = winner.index;
    *left = *count;
  }(&live, &index, &live_after));
  turn();
  EXPECT_EQ(live, 2);
  advance(milliseconds(10));
  EXPECT_EQ(index, 1U);
  EXPECT_EQ(live_after, 0);
}

TEST_F(RaceTest, GivesAVariantForDifferentTypes) {
  std::variant<int, std::string> first;
  start([](std::variant<int, std::string>* into) -> Task<> {
    *into = co_await race(after(milliseconds(9), 1), after(milliseconds(3), std::string("soon")));
  }(&first));
  turn();
  advance(milliseconds(20));
  ASSERT_EQ(first.index(), 1U);
  EXPECT_EQ(std::get<1>(first), "soon");
}

TEST_F(RaceTest, AFailureIsAnEndToo) {
  Code code = Code::ok;
  start([](Code* into) -> Task<> {
    auto winner = co_await race(after(milliseconds(9), Result<int>(1)),
                                after(milliseconds(3), Result<int>(fail(Code::not_found, "no"))));
    if (winner.index == 1) *into = winner.value.error().code();
  }(&code));
  turn();
  advance(milliseconds(20));
  EXPECT_EQ(code, Code::not_found);
}

TEST_F(RaceTest, RethrowsWhenTheFirstOneThrew) {
  std::string what;
  start([](std::string* into) -> Task<> {
    try {
      static_cast<void>(co_await race(pause(milliseconds(9)), throw_after<Status>(milliseconds(1), "lost")));
    } catch (const std::exception& error) {
      *into = error.what();
    }
  }(&what));
  turn();
  advance(milliseconds(5));
  EXPECT_EQ(what, "lost");
}

TEST_F(RaceTest, StartsNobodyOnceOneHasEnded) {
  bool started = false;
  std::size_t index = 9;
  run([](bool* flag, std::size_t* first) -> Task<> {
    auto winner = co_await race(at_once(std::monostate()), raise(flag));
    *first = winner.index;
  }(&started, &index));
  EXPECT_EQ(index, 0U);
  EXPECT_FALSE(started);
}

TEST_F(RaceTest, TakesAVectorThatIsNotEmpty) {
  Winner<int> winner;
  bool refused = false;
  start([](Winner<int>* into, bool* threw) -> Task<> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(after(milliseconds(10 - i), i * 10));
    *into = co_await race(std::move(tasks));
    try {
      static_cast<void>(co_await race(std::vector<Task<int>>()));
    } catch (const std::invalid_argument&) {
      *threw = true;
    }
  }(&winner, &refused));
  turn();
  advance(milliseconds(20));
  EXPECT_EQ(winner.index, 4U);
  EXPECT_EQ(winner.value, 40);
  EXPECT_TRUE(refused);
}

TEST_F(RaceTest, DestroyedWhileItWaitsItDestroysItsTasks) {
  int live = 0;
  start([](int* count) -> Task<> {
    static_cast<void>(co_await race(pause_holding(milliseconds(50), count), pause(milliseconds(50))));
  }(&live));
  turn();
  EXPECT_EQ(live, 1);
  drop();
  EXPECT_EQ(live, 0);
  advance(milliseconds(100));
}

TEST_F(RaceTest, TwoThatEndInOneTurnAreOneWinner) {
  int ends = 0;
  std::size_t index = 9;
  start([](int* count, std::size_t* first) -> Task<> {
    auto winner = co_await race(pause(milliseconds(5)), pause(milliseconds(5)));
    *first = winner.index;
    ++*count;
  }(&ends, &index));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(index, 0U);
}

TEST_F(RaceTest, StopsWithTheWorker) {
  Code code = Code::ok;
  start([](Code* into) -> Task<> {
    *into = (co_await race(pause(milliseconds(50)), pause(milliseconds(50)))).value.code();
  }(&code));
  turn();
  stop();
  turn();
  EXPECT_EQ(code, Code::cancelled);
}

}  // namespace
}  // namespace cobus
