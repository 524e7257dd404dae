// SPDX-License-Identifier: Apache-2.0
#include "node/job/job_tables.hpp"

#include <set>

#include "tests/unit/node/job/ledger_fixture.hpp"

namespace cobus::job {
namespace {

class JobTablesTest : public testing::Test {
 protected:
  JobTablesTest() : database_(LedgerDatabase::open(folder_.path() / "ledger.db")) {
    tables_.emplace(database_->sql(), "home", clock_, random_);
  }
  // One operation in a transaction of its own.
  template <class Body>
  auto in_transaction(Body body) {
    tables_->begin();
    auto result = body(*tables_);
    tables_->commit();
    tables_->publish();
    return result;
  }
  Result<Submitted> submit(const NewJob& job) {
    return in_transaction([&](JobTables& tables) { return tables.submit(job); });
  }
  std::vector<ClaimedJob> claim(std::uint32_t limit, std::vector<std::string> methods = {}) {
    const ClaimRequest request{.limit = limit, .owner = 9, .methods = std::move(methods)};
    return in_transaction([&](JobTables& tables) { return tables.claim(request); }).value();
  }
  Result<v1::JobState> finish(const ClaimedJob& job, const Outcome& outcome) {
    return in_transaction([&](JobTables& tables) { return tables.finish(job.id, job.attempt, outcome); });
  }
  v1::Job only(const std::string& id) {
    auto jobs = tables_->get(id).value();
    EXPECT_EQ(jobs.size(), 1U);
    return jobs.empty() ? v1::Job() : jobs.at(0);
  }
  std::uint64_t count(v1::JobState state) const {
    return tables_->counts().jobs[static_cast<std::size_t>(state)];
  }
  // As after a restart of the daemon.
  void reopen() {
    tables_.reset();
    database_ = fail(Code::unavailable, "closed");
    database_ = LedgerDatabase::open(folder_.path() / "ledger.db");
    tables_.emplace(database_->sql(), "home", clock_, random_);
  }

  PrivateFolder folder_;
  ManualClock clock_;
  SeededRandom random_{42};
  Result<LedgerDatabase> database_;
  std::optional<JobTables> tables_;
};

TEST_F(JobTablesTest, SubmittedJobIsReadyAndComplete) {
  NewJob job = echo();
  job.labels = {{"team", "a"}};
  const auto submitted = submit(job);
  ASSERT_TRUE(submitted);
  EXPECT_FALSE(submitted->existed);
  const v1::Job read = only(submitted->id);
  EXPECT_EQ(read.state(), v1::READY);
  EXPECT_EQ(read.method(), "echo.Echo/Echo");
  EXPECT_EQ(read.attempts_max(), attempts_max_default);
  EXPECT_EQ(read.submitted_us(), clock_.unix_us());
  EXPECT_EQ(read.home(), "home");
  EXPECT_EQ(read.labels().at("team"), "a");
}

TEST_F(JobTablesTest, JobWithoutMethodIsRefused) {
  EXPECT_EQ(submit(NewJob{}).error().code(), Code::invalid_argument);
  EXPECT_EQ(count(v1::READY), 0U);
}

TEST_F(JobTablesTest, ATimeoutThatNoClockCanHoldIsCutToAYear) {
  for (const std::uint64_t written : {UINT64_MAX, std::uint64_t{9'223'372'036'854'776}, timeout_us_max + 1}) {
    NewJob job = echo();
    job.timeout_us = written;
    ASSERT_TRUE(submit(job));
    EXPECT_EQ(claim(1).at(0).timeout_us, timeout_us_max) << written;
  }
  NewJob job = echo();
  job.timeout_us = timeout_us_max - 1;
  ASSERT_TRUE(submit(job));
  EXPECT_EQ(claim(1).at(0).timeout_us, timeout_us_max - 1);
}

TEST_F(JobTablesTest, J7_TheSameKeyAndRequestIsTheSameJob) {
  const auto first = submit(echo("hello", "order-1"));
  const auto second = submit(echo("hello", "order-1"));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->id, second->id);
  EXPECT_TRUE(second->existed);
  EXPECT_EQ(count(v1::READY), 1U);
}

TEST_F(JobTablesTest, J7_AJobIsFoundByItsKey) {
  const auto submitted = submit(echo("hello", "order-1"));
  const auto found = tables_->get_by_key("order-1");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.at(0).id(), submitted.value().id);
  EXPECT_TRUE(tables_->get_by_key("order").empty());
}

TEST_F(JobTablesTest, J7_TheSameKeyWithAnotherRequestIsRefused) {
  const auto first = submit(echo("hello", "order-1"));
  const auto second = submit(echo("good bye", "order-1"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::already_exists);
  EXPECT_NE(second.error().message().find(first.value().id), std::string::npos);
  NewJob other = echo("hello", "order-1");
  other.method = "echo.Echo/Shout";
  EXPECT_EQ(submit(other).error().code(), Code::already_exists);
}

TEST_F(JobTablesTest, J7_ARequestIsTheSameInWhateverOrderItsMapsCame) {
  NewJob one = echo("a b", "order-1");
  NewJob other = echo("b a", "order-1");
  one.canonical = other.canonical = "a b";
  const auto first = submit(one);
  const auto second = submit(other);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->id, second->id);
  // A ledger of an earlier release knows the bytes as they came.
  ASSERT_TRUE(submit(echo("b a", "order-2")));
  other.key = "order-2";
  EXPECT_TRUE(submit(other)->existed);
}

TEST_F(JobTablesTest, J7_AKeyIsRememberedAfterTheJobIsDoneAndAfterARestart) {
  const auto first = submit(echo("hello", "order-1"));
  ASSERT_TRUE(finish(claim(1).front(), Succeeded{"ok"}));
  reopen();
  const auto again = submit(echo("hello", "order-1"));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->existed);
  EXPECT_EQ(again->id, first.value().id);
}

TEST_F(JobTablesTest, JobsAreClaimedInTheOrderOfSubmissionWhateverTheirMethod) {
  std::vector<std::string> ids;
  for (int i = 0; i < 9; ++i) {
    NewJob job = echo(std::to_string(i));
    job.method = "m.S/" + std::to_string((9 - i) % 3);
    ids.push_back(submit(job).value().id);
  }
  std::vector<ClaimedJob> claimed = claim(4);
  ASSERT_EQ(claimed.size(), 4U);
  for (ClaimedJob& job : claim(100)) claimed.push_back(std::move(job));
  ASSERT_EQ(claimed.size(), 9U);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(claimed[i].id, ids[i]);
    EXPECT_EQ(claimed[i].payload, std::to_string(i));
    EXPECT_EQ(claimed[i].attempt, 1U);
  }
  EXPECT_TRUE(claim(100).empty());
  EXPECT_EQ(count(v1::RUNNING), 9U);
}

TEST_F(JobTablesTest, JobsThatNobodyCanRunDoNotHoldUpOthers) {
  for (int i = 0; i < 50; ++i) submit(echo()).value();
  NewJob job;
  job.method = "text.Text/WordCount";
  const auto wanted = submit(job);
  const auto claimed = claim(10, {"text.Text/WordCount", "math.Primes/Count", "text.Text/WordCount"});
  ASSERT_EQ(claimed.size(), 1U);
  EXPECT_EQ(claimed.at(0).id, wanted.value().id);
}

TEST_F(JobTablesTest, ResultAndTimesAreKept) {
  NewJob job = echo();
  job.timeout_us = 5'000'000;
  const auto id = submit(job).value().id;
  clock_.advance(std::chrono::seconds(1));
  const auto claimed = claim(1);
  EXPECT_EQ(claimed.at(0).timeout_us, 5'000'000U);
  const std::int64_t started_us = clock_.unix_us();
  clock_.advance(std::chrono::seconds(2));
  EXPECT_EQ(finish(claimed.at(0), Succeeded{std::string("a\0b", 3)}), v1::SUCCEEDED);
  const v1::Job read = only(id);
  EXPECT_EQ(read.state(), v1::SUCCEEDED);
  EXPECT_EQ(read.result(), std::string("a\0b", 3));
  EXPECT_EQ(read.started_us(), started_us);
  EXPECT_EQ(read.finished_us(), clock_.unix_us());
  EXPECT_TRUE(tables_->list({}, 0).jobs.at(0).result().empty()) << "lists carry no results";
}

TEST_F(JobTablesTest, FailureKeepsItsCause) {
  const auto id = submit(echo()).value().id;
  EXPECT_EQ(finish(claim(1).front(), Failed{Status(Code::invalid_argument, "no text").with("field", "text")}),
            v1::FAILED);
  const v1::Job read = only(id);
  EXPECT_EQ(read.error().message(), "no text");
  EXPECT_EQ(read.error().code(), static_cast<int>(Code::invalid_argument));
  EXPECT_EQ(read.error().details(0).value(), "text");
}

TEST_F(JobTablesTest, J3_AnAttemptThatIsNotTheNewestRecordsNothing) {
  const auto id = submit(echo()).value().id;
  const ClaimedJob old = claim(1).front();
  ASSERT_EQ(finish(old, HandedBack{.wait_reason = "node n2 was lost", .crashed = true}), v1::READY);
  const auto while_ready = finish(old, Succeeded{"late"});
  ASSERT_FALSE(while_ready);
  EXPECT_EQ(while_ready.error().code(), Code::failed_precondition);
  const ClaimedJob newest = claim(1).front();
  EXPECT_EQ(newest.attempt, 2U);
  EXPECT_EQ(finish(old, Succeeded{"late"}).error().code(), Code::failed_precondition);
  EXPECT_EQ(finish(old, Failed{Status(Code::internal, "late")}).error().code(), Code::failed_precondition);
  EXPECT_EQ(finish(old, HandedBack{}).error().code(), Code::failed_precondition);
  EXPECT_EQ(only(id).state(), v1::RUNNING);
  EXPECT_EQ(finish(newest, Succeeded{"right"}), v1::SUCCEEDED);
  EXPECT_EQ(only(id).result(), "right");
}

TEST_F(JobTablesTest, J2_ASecondResultIsRefused) {
  const auto id = submit(echo()).value().id;
  const ClaimedJob job = claim(1).front();
  ASSERT_TRUE(finish(job, Succeeded{"first"}));
  const auto second = finish(job, Succeeded{"second"});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message().find("the job is succeeded"), std::string::npos);
  EXPECT_EQ(only(id).result(), "first");
}

TEST_F(JobTablesTest, UnknownJobCannotBeFinished) {
  ClaimedJob job;
  job.id = "01hf7yat780000000000000000";
  EXPECT_EQ(finish(job, Succeeded{}).error().code(), Code::not_found);
}

TEST_F(JobTablesTest, J3_ProgressOfAnOldAttemptIsNotShown) {
  const auto id = submit(echo()).value().id;
  const ClaimedJob old = claim(1).front();
  v1::Progress progress;
  progress.set_fraction(0.5);
  tables_->progress(id, old.attempt, progress);
  tables_->assign(id, old.attempt, "n2");
  EXPECT_EQ(only(id).progress().fraction(), 0.5);
  EXPECT_EQ(only(id).node(), "n2");
  ASSERT_TRUE(finish(old, HandedBack{}));
  ASSERT_EQ(claim(1).front().attempt, 2U);
  tables_->progress(id, old.attempt, progress);
  EXPECT_FALSE(only(id).has_progress() && only(id).progress().fraction() != 0);
}

TEST_F(JobTablesTest, NodeThatRanItStaysKnown) {
  const auto id = submit(echo()).value().id;
  const ClaimedJob job = claim(1).front();
  tables_->assign(id, job.attempt, "n3");
  ASSERT_TRUE(finish(job, Succeeded{"x"}));
  EXPECT_EQ(only(id).node(), "n3");
  reopen();
  EXPECT_EQ(only(id).node(), "n3");
}

TEST_F(JobTablesTest, J5_AttemptsAreBoundedAndTheLastCauseIsKept) {
  NewJob job = echo();
  job.attempts_max = 2;
  const auto id = submit(job).value().id;
  EXPECT_EQ(finish(claim(1).front(), HandedBack{.wait_reason = "n1 lost", .crashed = true}), v1::READY);
  EXPECT_EQ(only(id).wait_reason(), "n1 lost");
  EXPECT_EQ(finish(claim(1).front(), HandedBack{.wait_reason = "n2 lost", .crashed = true}), v1::FAILED);
  EXPECT_EQ(only(id).error().message(), "gave up after 2 attempts, 2 of them crashes; the last one: n2 lost");
  EXPECT_TRUE(claim(1).empty());
}

TEST_F(JobTablesTest, AnAttemptThatNobodyTookDoesNotCountButStillFences) {
  NewJob job = echo();
  job.attempts_max = 1;
  const auto id = submit(job).value().id;
  const ClaimedJob first = claim(1).front();
  EXPECT_EQ(finish(first, HandedBack{.wait_reason = "no room", .started = false}), v1::READY);
  EXPECT_EQ(only(id).attempt(), 0U);
  const ClaimedJob second = claim(1).front();
  EXPECT_GT(second.attempt, first.attempt);
  EXPECT_EQ(only(id).attempt(), 1U);
  EXPECT_EQ(finish(first, Succeeded{"late"}).error().code(), Code::failed_precondition);
  EXPECT_EQ(finish(second, HandedBack{.wait_reason = "n2 lost"}), v1::FAILED);
}

TEST_F(JobTablesTest, RecoverMakesRunningJobsReadyAndEndsThoseWithoutAttempts) {
  NewJob once = echo("once");
  once.attempts_max = 1;
  const auto last_try = submit(once).value().id;
  const auto more = submit(echo("more")).value().id;
  const auto waiting = submit(echo("waiting")).value().id;
  ASSERT_EQ(claim(2).size(), 2U);
  reopen();
  EXPECT_EQ(count(v1::RUNNING), 2U);
  const auto recovered = in_transaction([](JobTables& tables) { return tables.recover(); });
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->ready, 1U);
  EXPECT_EQ(recovered->failed, 1U);
  EXPECT_EQ(only(more).state(), v1::READY);
  EXPECT_EQ(only(more).attempt(), 1U);
  EXPECT_EQ(only(waiting).state(), v1::READY);
  EXPECT_EQ(only(last_try).state(), v1::FAILED);
  EXPECT_NE(only(last_try).error().message().find("restarted while it ran"), std::string::npos);
  EXPECT_EQ(claim(9).front().attempt, 2U);
}

TEST_F(JobTablesTest, WaitReasonIsShownWhileTheJobWaitsOnly) {
  const auto waiting = submit(echo()).value().id;
  const auto running = submit(echo()).value().id;
  ASSERT_TRUE(in_transaction([&](JobTables& tables) {
    return tables.set_wait_reason({waiting, running, "nonsense"}, "no node offers echo.Echo");
  }));
  EXPECT_EQ(only(waiting).wait_reason(), "no node offers echo.Echo");
  ASSERT_EQ(claim(2).size(), 2U);
  EXPECT_EQ(only(running).wait_reason(), "");
  ASSERT_TRUE(in_transaction([&](JobTables& tables) { return tables.set_wait_reason({running}, "x"); }));
  EXPECT_EQ(only(running).wait_reason(), "");
}

TEST_F(JobTablesTest, AReadyJobSaysHowManyAreBeforeIt) {
  const std::string first = submit(echo())->id;
  const std::string second = submit(echo())->id;
  const std::string third = submit(echo())->id;
  EXPECT_NE(only(first).wait_reason().find("it is the next one"), std::string::npos);
  EXPECT_EQ(only(second).wait_reason(), "1 of this method is before it");
  EXPECT_EQ(only(third).wait_reason(), "2 of this method are before it");
  claim(1);
  EXPECT_EQ(only(first).wait_reason(), "");
  EXPECT_NE(only(second).wait_reason().find("it is the next one"), std::string::npos);
}

TEST_F(JobTablesTest, JobIsFoundByThePrefixOfItsId) {
  const auto id = submit(echo()).value().id;
  clock_.advance(std::chrono::hours(24 * 365 * 20));
  submit(echo()).value();
  EXPECT_EQ(only(id.substr(0, 9)).id(), id);
  std::string capitals = id;
  for (char& c : capitals) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(only(capitals).id(), id);
  EXPECT_EQ(tables_->get("0").value().size(), 2U);
  EXPECT_TRUE(tables_->get("zzz").value().empty());
  EXPECT_TRUE(tables_->get("'; DROP TABLE job").value().empty());
  EXPECT_EQ(tables_->get("").error().code(), Code::invalid_argument);
}

TEST_F(JobTablesTest, ManyJobsOfOnePrefixComeWithoutResultsAndNoMoreThanOneMessageHolds) {
  const std::string first = submit(echo()).value().id;
  ASSERT_TRUE(finish(claim(1).at(0), Succeeded{std::string(result_bytes_max, 'x')}));
  EXPECT_EQ(only(first).result().size(), result_bytes_max);
  NewJob large = echo();
  large.labels["large"] = std::string(15'000, 'x');
  for (int i = 0; i < 90; ++i) submit(large).value();
  const auto found = tables_->get("0").value();
  EXPECT_GT(found.size(), 1U);
  EXPECT_EQ(found.at(0).id(), first);
  EXPECT_TRUE(found.at(0).result().empty());
  std::size_t bytes = 0;
  for (const v1::Job& job : found) bytes += job.ByteSizeLong();
  EXPECT_LT(bytes, limits::payload_bytes_max);
}

TEST_F(JobTablesTest, AListIsReadInPagesWhichSayWhereTheNextBegins) {
  NewJob large = echo();
  large.labels["large"] = std::string(15'000, 'x');
  for (int i = 0; i < 60; ++i) submit(large).value();
  v1::ListJobsRequest request;
  request.set_limit(list_limit_max);
  std::set<std::string> ids;
  std::size_t pages = 0;
  std::int64_t from = 0;
  do {
    const JobPage page = tables_->list(request, from);
    EXPECT_LE(page.jobs.size(), 18U);
    for (const v1::Job& job : page.jobs) ids.insert(job.id());
    from = page.next;
    ++pages;
  } while (from != 0);
  EXPECT_EQ(ids.size(), 60U);
  EXPECT_GE(pages, 4U);
}

TEST_F(JobTablesTest, AJobKeepsTheRoleOfWhoSubmittedItAlsoAfterARestart) {
  NewJob job = echo();
  job.role = v1::ADMIN;
  ASSERT_TRUE(submit(job));
  reopen();
  EXPECT_EQ(claim(1).at(0).role, v1::ADMIN);
}

TEST_F(JobTablesTest, ListGivesTheNewestFirstAndKeepsToTheLimit) {
  std::vector<std::string> ids;
  for (int i = 0; i < 150; ++i) ids.push_back(submit(echo()).value().id);
  EXPECT_EQ(tables_->list({}, 0).jobs.size(), list_limit_default);
  v1::ListJobsRequest request;
  request.set_limit(2);
  request.add_states(v1::READY);
  const auto jobs = tables_->list(request, 0).jobs;
  ASSERT_EQ(jobs.size(), 2U);
  EXPECT_EQ(jobs[0].id(), ids[149]);
  EXPECT_EQ(jobs[1].id(), ids[148]);
  request.clear_states();
  request.add_states(v1::FAILED);
  EXPECT_TRUE(tables_->list(request, 0).jobs.empty());
}

TEST_F(JobTablesTest, RolledBackOperationsLeaveNoTrace) {
  int told = 0;
  tables_->observe([&told](const v1::Job&) { ++told; });
  tables_->begin();
  const auto submitted = tables_->submit(echo());
  tables_->rollback();
  tables_->publish();
  EXPECT_TRUE(tables_->get(submitted.value().id).value().empty());
  EXPECT_EQ(count(v1::READY), 0U);
  EXPECT_EQ(told, 0);
}

TEST_F(JobTablesTest, ObserverSeesEveryStateAndTheLastProgress) {
  std::vector<v1::Job> seen;
  tables_->observe([&seen](const v1::Job& job) { seen.push_back(job); });
  submit(echo()).value();
  const ClaimedJob job = claim(1).front();
  v1::Progress progress;
  progress.set_fraction(0.25);
  tables_->progress(job.id, job.attempt, progress);
  progress.set_fraction(0.75);
  tables_->progress(job.id, job.attempt, progress);
  tables_->publish();
  ASSERT_TRUE(finish(job, Succeeded{"done"}));
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[0].state(), v1::READY);
  EXPECT_EQ(seen[1].state(), v1::RUNNING);
  EXPECT_EQ(seen[2].progress().fraction(), 0.75);
  EXPECT_EQ(seen[3].state(), v1::SUCCEEDED);
  EXPECT_EQ(seen[3].result(), "done");
}

TEST_F(JobTablesTest, CountsFollowEveryChangeAndSurviveARestart) {
  for (int i = 0; i < 4; ++i) submit(echo()).value();
  const auto claimed = claim(3);
  ASSERT_TRUE(finish(claimed[0], Succeeded{}));
  ASSERT_TRUE(finish(claimed[1], Failed{Status(Code::internal, "x")}));
  const auto expect = [this] {
    EXPECT_EQ(count(v1::READY), 1U);
    EXPECT_EQ(count(v1::RUNNING), 1U);
    EXPECT_EQ(count(v1::SUCCEEDED), 1U);
    EXPECT_EQ(count(v1::FAILED), 1U);
  };
  expect();
  reopen();
  expect();
}

}  // namespace
}  // namespace cobus::job
