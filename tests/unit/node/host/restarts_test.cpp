// SPDX-License-Identifier: Apache-2.0
#include "node/host/restarts.hpp"

#include <gtest/gtest.h>

namespace cobus::host {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class RestartsTest : public testing::Test {
 protected:
  // Runs for `time` and ends; gives what is to be done, and moves on to the next start.
  Restarts::Verdict run(Duration time, const std::string& cause = "exit code 1") {
    restarts_.started(clock_.now());
    clock_.advance(time);
    const Restarts::Verdict verdict = restarts_.ended(cause, clock_.now());
    clock_.advance(verdict.wait);
    return verdict;
  }

  ManualClock clock_;
  SeededRandom random_{7};
  Restarts restarts_{random_};
};

TEST_F(RestartsTest, WaitsTwiceAsLongEachTimeUpToTenSecondsDrawnFromTheUpperHalf) {
  Duration full = milliseconds(100);
  for (int i = 0; i < 40; ++i) {
    const Duration wait = run(milliseconds(1)).wait;
    EXPECT_GE(wait, full / 2) << i;
    EXPECT_LE(wait, full) << i;
    full = std::min<Duration>(full * 2, seconds(10));
  }
}

TEST_F(RestartsTest, TwoChildrenThatEndTogetherDoNotComeBackTogether) {
  Restarts other(random_);
  int apart = 0;
  for (int i = 0; i < 20; ++i)
    apart +=
        restarts_.ended("exit code 1", clock_.now()).wait != other.ended("exit code 1", clock_.now()).wait
            ? 1
            : 0;
  EXPECT_GT(apart, 15);
}

TEST_F(RestartsTest, OneThatRanWellForHalfAMinuteComesBackSoonAgain) {
  for (int i = 0; i < 10; ++i) static_cast<void>(run(milliseconds(1)));
  EXPECT_GT(run(seconds(29)).wait, seconds(4));
  EXPECT_LE(run(seconds(30)).wait, milliseconds(100));
}

TEST_F(RestartsTest, OneThatCannotBeStartedWaitsLongerEachTimeToo) {
  static_cast<void>(run(hours(1)));
  for (int i = 0; i < 10; ++i) {
    clock_.advance(seconds(31));  // it did not run meanwhile
    static_cast<void>(restarts_.ended("no process for it", clock_.now()));
  }
  EXPECT_GE(restarts_.ended("no process for it", clock_.now()).wait, seconds(5));
}

TEST_F(RestartsTest, TheSameEndIsSaidOnceAMinuteWithHowManyThereWere) {
  EXPECT_TRUE(run(milliseconds(1)).say);
  unsigned unsaid = 0;
  const TimePoint said = clock_.now();
  for (;;) {
    const Restarts::Verdict verdict = run(milliseconds(1));
    if (verdict.say) {
      EXPECT_EQ(verdict.unsaid, unsaid);
      break;
    }
    ++unsaid;
    ASSERT_LT(clock_.now(), said + seconds(80));
  }
  EXPECT_GT(unsaid, 5U);
  EXPECT_GE(clock_.now(), said + seconds(60));
}

TEST_F(RestartsTest, AnotherEndIsSaidAtOnceAndSoIsTheSameOneAfterItRanWell) {
  EXPECT_TRUE(run(milliseconds(1), "exit code 1").say);
  EXPECT_FALSE(run(milliseconds(1), "exit code 1").say);
  EXPECT_TRUE(run(milliseconds(1), "signal SIGSEGV").say);
  EXPECT_TRUE(run(seconds(30), "signal SIGSEGV").say);
}

}  // namespace
}  // namespace cobus::host
