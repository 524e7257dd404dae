// SPDX-License-Identifier: Apache-2.0
#include "client/cli/job_wait.hpp"

#include <gtest/gtest.h>

namespace cobus::client {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint start{100s};

v1::Job running(double fraction) {
  v1::Job job;
  job.set_id("01k2");
  job.set_state(v1::RUNNING);
  job.set_node("n1");
  job.set_attempt(1);
  job.mutable_progress()->set_fraction(fraction);
  return job;
}

TEST(JobNarrator, SaysEachStateAndAttemptOnce) {
  JobNarrator narrator;
  v1::Job job;
  job.set_id("01k2");
  job.set_state(v1::READY);
  job.set_wait_reason("no node offers x.Y");
  EXPECT_EQ(narrator.next(job, start), "job 01k2 is ready: no node offers x.Y");
  EXPECT_EQ(narrator.next(job, start), "");
  job = running(-1);
  EXPECT_EQ(narrator.next(job, start), "job 01k2 is running on n1, attempt 1");
  job.set_attempt(2);
  EXPECT_EQ(narrator.next(job, start), "job 01k2 is running on n1, attempt 2");
}

TEST(JobNarrator, SaysProgressEveryFivePerCentOrTenSeconds) {
  JobNarrator narrator;
  v1::Job job = running(0.5);
  job.mutable_progress()->set_note("half\nway");
  EXPECT_EQ(narrator.next(job, start), "job 01k2 is running on n1, attempt 1, 50%, half way");
  EXPECT_EQ(narrator.next(running(0.54), start + 1s), "");
  EXPECT_EQ(narrator.next(running(0.56), start + 1s), "job 01k2 is running on n1, attempt 1, 56%");
  EXPECT_EQ(narrator.next(running(0.57), start + 10s), "");
  EXPECT_EQ(narrator.next(running(0.57), start + 11s), "job 01k2 is running on n1, attempt 1, 57%");
  EXPECT_EQ(narrator.next(running(0.57), start + 60s), "") << "what did not change is not said again";
}

TEST(DetachedText, SaysHowToComeBack) {
  EXPECT_NE(detached_text("01k2").find("cobus wait 01k2"), std::string::npos);
}

}  // namespace
}  // namespace cobus::client
