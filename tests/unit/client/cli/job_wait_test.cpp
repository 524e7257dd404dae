// SPDX-License-Identifier: Apache-2.0
#include "client/cli/job_wait.hpp"

#include <gtest/gtest.h>

namespace cobus::client {
namespace {

TEST(JobNarrator, SaysWhatIsNewOnce) {
  JobNarrator narrator;
  v1::Job job;
  job.set_id("01k2");
  job.set_state(v1::READY);
  job.set_wait_reason("no node offers x.Y");
  EXPECT_EQ(narrator.next(job), "job 01k2 is ready: no node offers x.Y");
  EXPECT_EQ(narrator.next(job), "");
  job.set_state(v1::RUNNING);
  job.set_node("n1");
  job.set_attempt(1);
  EXPECT_EQ(narrator.next(job), "job 01k2 is running on n1, attempt 1");
  job.mutable_progress()->set_fraction(0.5);
  job.mutable_progress()->set_note("half\nway");
  EXPECT_EQ(narrator.next(job), "job 01k2 is running on n1, attempt 1, 50%, half way");
}

TEST(DetachedText, SaysHowToComeBack) {
  EXPECT_NE(detached_text("01k2").find("cobus wait 01k2"), std::string::npos);
}

}  // namespace
}  // namespace cobus::client
