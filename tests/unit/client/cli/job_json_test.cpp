// SPDX-License-Identifier: Apache-2.0
#include "client/cli/job_json.hpp"

#include <gtest/gtest.h>

#include "tests/unit/client/cli/captured_console.hpp"

namespace cobus::client {
namespace {

v1::Job sample(v1::JobState state) {
  v1::Job job;
  job.set_id("01k2");
  job.set_method("math.Primes/Count");
  job.set_state(state);
  job.set_attempt(2);
  job.set_attempts_max(5);
  job.set_node("n1");
  job.set_submitted_us(1'772'352'930'042'000);
  job.set_home("n3");
  return job;
}

TEST(JobJson, HasTheFieldsThatScriptsRelyOnFirst) {
  EXPECT_EQ(
      one_line(job_json(sample(v1::SUCCEEDED), {{"count", "4"}})),
      R"({"id":"01k2","method":"math.Primes/Count","state":"succeeded","attempt":2,"node":"n1","wait_reason":"",)"
      R"("submitted_at":"2026-03-01T08:15:30.042Z","result":{"count":"4"},"error":null,"attempts_max":5,)"
      R"("started_at":null,"finished_at":null,"progress":null,"home":"n3","labels":{}})");
}

TEST(JobJson, AListingSaysNothingOfResultsThatItDoesNotHave) {
  EXPECT_FALSE(listed_job_json(sample(v1::SUCCEEDED)).contains("result"));
  EXPECT_EQ(listed_job_json(sample(v1::SUCCEEDED))["state"], "succeeded");
}

TEST(JobJson, AFailedJobHasAnErrorAndNoResult) {
  v1::Job job = sample(v1::FAILED);
  job.mutable_error()->set_code(static_cast<int>(Code::invalid_argument));
  job.mutable_error()->set_message("from is above to");
  const Json json = job_json(job, {});
  EXPECT_TRUE(json["result"].is_null());
  EXPECT_EQ(one_line(json["error"]), R"({"code":"INVALID_ARGUMENT","message":"from is above to"})");
  EXPECT_EQ(job_status(job), Status(Code::invalid_argument, "from is above to"));
}

TEST(JobJson, LabelsAndProgressAreShown) {
  v1::Job job = sample(v1::RUNNING);
  (*job.mutable_labels())["run"] = "7";
  job.mutable_progress()->set_fraction(0.5);
  job.mutable_progress()->set_note("half");
  const Json json = job_json(job, {});
  EXPECT_EQ(one_line(json["labels"]), R"({"run":"7"})");
  EXPECT_EQ(one_line(json["progress"]), R"({"fraction":0.5,"note":"half"})");
}

TEST(JobState, EveryStateHasTheNameOfTheContract) {
  for (const char* name : {"blocked", "scheduled", "ready", "running", "retrying", "succeeded", "failed",
                           "cancelled", "expired"}) {
    const auto state = parse_state(name);
    ASSERT_TRUE(state) << name;
    EXPECT_EQ(state_name(*state), name);
  }
  EXPECT_NE(parse_state("done").error().message().find("succeeded"), std::string::npos);
  EXPECT_EQ(state_name(v1::JobState(77)), "unknown");
}

TEST(JobState, ExitCodesTellHowAJobEnded) {
  EXPECT_EQ(job_exit_code(sample(v1::SUCCEEDED)), 0);
  EXPECT_EQ(job_exit_code(sample(v1::FAILED)), 1);
  EXPECT_EQ(job_exit_code(sample(v1::CANCELLED)), 3);
  EXPECT_EQ(job_exit_code(sample(v1::EXPIRED)), 3);
  EXPECT_TRUE(is_final(v1::EXPIRED));
  EXPECT_FALSE(is_final(v1::RETRYING));
}

TEST(JobTable, ShowsAgeAttemptsAndWhy) {
  v1::Job waiting = sample(v1::READY);
  waiting.set_wait_reason("no node offers x.Y");
  v1::Job running = sample(v1::RUNNING);
  running.mutable_progress()->set_fraction(0.78);
  running.mutable_progress()->set_note("page 31");
  CapturedConsole captured;
  ListOutput output(captured.console, Format::table, job_columns(waiting.submitted_us() + 90'000'000), "id");
  output.add(job_json(waiting, {}));
  output.add(job_json(running, {}));
  output.finish();
  EXPECT_EQ(captured.out(),
            "ID    METHOD             STATE    ATTEMPT  NODE    AGE  WHY\n"
            "01k2  math.Primes/Count  ready        2/5  n1    1m30s  no node offers x.Y\n"
            "01k2  math.Primes/Count  running      2/5  n1    1m30s  78% page 31\n");
}

}  // namespace
}  // namespace cobus::client
