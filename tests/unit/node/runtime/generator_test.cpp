// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/generator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

// Not inlined: the frame would vanish, and with it what is measured.
[[gnu::noinline]] Generator<std::int64_t> count_from(std::int64_t first) {
  for (;;) co_yield first++;
}
Generator<int> count_to(int last) {
  for (int i = 1; i <= last; ++i) co_yield i;
}
Generator<int> one_then_throw() {
  co_yield 1;
  throw std::runtime_error("torn");
}
Generator<int> each_of(Generator<int> inner) {
  for (int item : inner) co_yield item * 10;
}

TEST(Generator, YieldsEachItemThenEnds) {
  int sum = 0;
  for (const int item : count_to(100)) sum += item;
  EXPECT_EQ(sum, 5050);
  for (const int item : count_to(0)) FAIL() << item;
}

TEST(Generator, RunsOnlyAsFarAsItIsAsked) {
  for (const std::int64_t item : count_from(5)) {
    if (item == 8) break;
  }
  std::vector<std::int64_t> some;
  for (const std::int64_t item : count_from(1) | std::views::take(3)) some.push_back(item);
  EXPECT_EQ(some, (std::vector<std::int64_t>{1, 2, 3}));
}

TEST(Generator, AnItemMayBeMovedOutOrChanged) {
  auto names = []() -> Generator<std::unique_ptr<std::string>> {
    for (int i = 0; i < 3; ++i) co_yield std::make_unique<std::string>(std::to_string(i));
  }();
  std::vector<std::unique_ptr<std::string>> taken;
  for (auto& name : names) taken.push_back(std::move(name));
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(*taken[2], "2");
}

TEST(Generator, CopiesWhatIsConstant) {
  static const std::vector<std::string> words{"a", "b"};
  auto all = []() -> Generator<std::string> {
    for (const std::string& word : words) co_yield word;
  }();
  for (std::string& word : all) word += "!";
  EXPECT_EQ(words[0], "a");
}

TEST(Generator, ThrowsWhereTheNextItemIsAskedFor) {
  int items = 0;
  EXPECT_THROW(
      {
        for (const int item : one_then_throw()) items += item;
      },
      std::runtime_error);
  EXPECT_EQ(items, 1);
}

TEST(Generator, AnExceptionPassesThroughNestedGenerators) {
  std::vector<int> items;
  std::string what;
  try {
    for (const int item : each_of(each_of(one_then_throw()))) items.push_back(item);
  } catch (const std::exception& error) {
    what = error.what();
  }
  EXPECT_EQ(items, std::vector<int>{100});
  EXPECT_EQ(what, "torn");
}

TEST(Generator, AnOuterOneMayCatchAndGoOn) {
  auto patient = []() -> Generator<int> {
    bool broken = false;
    try {
      for (const int item : one_then_throw()) co_yield item;
    } catch (const std::exception&) {
      broken = true;
    }
    if (broken) co_yield 2;
  }();
  int sum = 0;
  for (const int item : patient) sum += item;
  EXPECT_EQ(sum, 3);
}

TEST(Generator, DestroyedEarlyItFreesWhatItHolds) {
  int live = 0;
  {
    auto holding = [](Counted /*held*/) -> Generator<int> {
      for (;;) co_yield 1;
    }(Counted(&live));
    static_cast<void>(holding.begin());
    Generator<int> moved = std::move(holding);
    EXPECT_EQ(live, 1);
  }
  EXPECT_EQ(live, 0);
}

// The best of some rounds, since others use the machine too. Printed; only far too slow is a failure.
TEST(Generator, AStepTakesNanoseconds) {
  constexpr std::int64_t steps = 1'000'000;
  double best = 1e9;
  for (int round = 0; round < 10; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    std::int64_t sum = 0;
    for (const std::int64_t item : count_from(0)) {
      if (item == steps) break;
      sum += item;
    }
    EXPECT_EQ(sum, steps * (steps - 1) / 2);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    best = std::min(best, took.count() / static_cast<double>(steps));
  }
  RecordProperty("nanoseconds_a_step", std::to_string(best));
  EXPECT_LT(best, 200);
}

}  // namespace
}  // namespace cobus
