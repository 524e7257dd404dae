// SPDX-License-Identifier: Apache-2.0
#include "client/cli/progress.hpp"

#include <gtest/gtest.h>

namespace cobus::client {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint start{100s};

TEST(RateMeter, KnowsNothingBeforeTwoMeasurements) {
  RateMeter meter;
  meter.update(0, start);
  EXPECT_EQ(meter.rate(), 0);
  EXPECT_EQ(meter.left(100), std::nullopt);
}

TEST(RateMeter, ASteadyRateGivesTheTimeLeft) {
  RateMeter meter;
  for (int i = 0; i <= 10; ++i) meter.update(i * 10, start + i * 1s);
  EXPECT_NEAR(meter.rate(), 10, 0.01);
  EXPECT_NEAR(std::chrono::duration<double>(*meter.left(150)).count(), 5, 0.01);
}

TEST(RateMeter, ForgetsWhatIsLongAgo) {
  RateMeter meter;
  for (int i = 0; i <= 10; ++i) meter.update(i * 100, start + i * 1s);
  for (int i = 1; i <= 30; ++i) meter.update(1000 + i, start + (10 + i) * 1s);
  EXPECT_LT(meter.rate(), 2);
}

TEST(RateMeter, StartsAnewWhenTheNumberShrinks) {
  RateMeter meter;
  meter.update(0.0, start);
  meter.update(0.5, start + 1s);
  meter.update(0.1, start + 2s);
  EXPECT_EQ(meter.rate(), 0) << "another attempt begins from the start";
}

TEST(CallProgress, SpinsUntilProgressIsKnown) {
  CallProgress progress(start);
  EXPECT_EQ(progress.line(start + 2s, {}), "Please wait ... | 2s");
  EXPECT_EQ(progress.line(start + 2100ms, {}), "Please wait ... / 2s");
  progress.waits_for("no node offers x.Y");
  EXPECT_EQ(progress.line(start + 3s, {}), "Please wait ... - 3s  no node offers x.Y");
}

TEST(CallProgress, BecomesABarWithRateAndTimeLeft) {
  CallProgress progress(start);
  progress.update(0.0, "", start);
  progress.update(0.25, "page 3", start + 5s);
  EXPECT_EQ(progress.line(start + 5s, {}), "[#####---------------]  25%  5%/s  15s left  page 3");
}

TEST(CallProgress, ANoteWithoutAFractionKeepsTheSpinner) {
  CallProgress progress(start);
  progress.update(-1, "reading", start);
  EXPECT_EQ(progress.line(start, {}), "Please wait ... | 0ms  reading");
}

TEST(CallProgress, NotesCannotDriveTheTerminal) {
  CallProgress progress(start);
  progress.update(-1, "\x1b[2J", start);
  EXPECT_EQ(progress.line(start, {}).find('\x1b'), std::string::npos);
}

TEST(MapLine, CountsWhatIsDoneOutOfAll) {
  RateMeter meter;
  meter.update(0, start);
  meter.update(50, start + 5s);
  EXPECT_EQ(map_line({50, 2, 16, 0, 200}, meter, start, start + 5s, {}),
            "[#####---------------] 50/200  2 failed  10/s  15s left");
}

TEST(MapLine, IsABarAsSoonAsAnythingReportsHowFarItIs) {
  RateMeter meter;
  meter.update(0, start);
  meter.update(1, start + 5s);
  EXPECT_EQ(map_line({0, 0, 4, 1.0, 4}, meter, start, start + 5s, {}),
            "[#####---------------] 0/4  0 failed  12/min  15s left");
}

TEST(MapLine, AnInputThatGoesOnHasNoTotal) {
  RateMeter meter;
  EXPECT_EQ(map_line({9, 2, 16, 0, {}}, meter, start, start, {}), "| 7 done  2 failed  0/s");
  EXPECT_EQ(map_line({0, 0, 16, 0, {}}, meter, start, start, {}), "Please wait ... | 0ms  16 running");
}

TEST(Bar, IsFilledInEighthsWhereTheScreenCan) {
  EXPECT_EQ(bar(0.5, 6, false), "[##--]");
  EXPECT_EQ(bar(0.5, 5, true), "▕█▌ ▏");
  EXPECT_EQ(bar(2.0, 4, false), "[##]");
  EXPECT_EQ(bar(-1, 4, false), "[--]");
}

}  // namespace
}  // namespace cobus::client
