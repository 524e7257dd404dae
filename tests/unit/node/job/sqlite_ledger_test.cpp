// SPDX-License-Identifier: Apache-2.0
#include "node/job/sqlite_ledger.hpp"

#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <latch>
#include <set>
#include <thread>

#include "tests/unit/node/job/ledger_fixture.hpp"

namespace cobus::job {
namespace {

class SqliteLedgerTest : public testing::Test {
 protected:
  SqliteLedgerTest() : ledger_(open_ledger(folder_.path())) {}

  // Holds the ledger's thread until `release` is called, so that what follows shares one transaction.
  void hold() {
    std::latch held(1);
    ledger_->counts([&held, this](const Result<Counts>&) {
      held.count_down();
      release_.wait();
    });
    held.wait();
  }
  void release() { release_.count_down(); }

  PrivateFolder folder_;
  std::latch release_{1};
  std::unique_ptr<SqliteLedger> ledger_;
};

TEST_F(SqliteLedgerTest, RunsAJobFromSubmissionToResult) {
  const auto submitted = submit(*ledger_, echo());
  ASSERT_TRUE(submitted) << submitted.error().to_string();
  const auto claimed = claim(*ledger_, 10);
  ASSERT_TRUE(claimed);
  ASSERT_EQ(claimed->size(), 1U);
  EXPECT_EQ(finish(*ledger_, claimed->front(), Succeeded{"HELLO"}), v1::SUCCEEDED);
  const auto jobs = get(*ledger_, submitted->id);
  ASSERT_TRUE(jobs);
  EXPECT_EQ(jobs->front().result(), "HELLO");
  EXPECT_EQ(counts(*ledger_).value().jobs[v1::SUCCEEDED], 1U);
}

TEST_F(SqliteLedgerTest, ConfirmedJobsAreThereAfterAReopening) {
  const auto id = submit(*ledger_, echo()).value().id;
  ledger_.reset();
  ledger_ = open_ledger(folder_.path());
  EXPECT_EQ(get(*ledger_, id).value().size(), 1U);
}

TEST_F(SqliteLedgerTest, RefusesASecondLedgerOnTheSameFile) {
  const auto second = SqliteLedger::open({.file = folder_.path() / "ledger.db", .home = "home"});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::unavailable);
}

TEST_F(SqliteLedgerTest, ManyThreadsSubmitAndEveryJobIsClaimedOnce) {
  constexpr int threads = 8;
  constexpr int each = 250;
  std::latch submitted(threads * each);
  std::vector<std::thread> submitters;
  for (int t = 0; t < threads; ++t) {
    submitters.emplace_back([this, &submitted] {
      for (int i = 0; i < each; ++i) {
        ledger_->submit(echo(), [&submitted](const Result<Submitted>& result) {
          EXPECT_TRUE(result) << result.error().to_string();
          submitted.count_down();
        });
      }
    });
  }
  std::set<std::string> ids;
  while (ids.size() < threads * each) {
    for (const ClaimedJob& job : *claim(*ledger_, 100))
      EXPECT_TRUE(ids.insert(job.id).second) << "claimed twice";
  }
  submitted.wait();
  for (std::thread& thread : submitters) thread.join();
  EXPECT_TRUE(claim(*ledger_, 1).value().empty());
}

TEST_F(SqliteLedgerTest, OperationsOfOneCallerTakeEffectInOrder) {
  hold();
  ledger_->submit(echo("1"), nullptr);
  ledger_->submit(echo("2"), nullptr);
  std::promise<std::vector<ClaimedJob>> promise;
  ledger_->claim({.limit = 9, .owner = 1, .methods = {}},
                 [&promise](Result<std::vector<ClaimedJob>> jobs) { promise.set_value(std::move(*jobs)); });
  release();
  const auto jobs = promise.get_future().get();
  ASSERT_EQ(jobs.size(), 2U);
  EXPECT_EQ(jobs[0].payload, "1");
  EXPECT_EQ(jobs[1].payload, "2");
}

TEST_F(SqliteLedgerTest, DoneMayAskTheLedgerAgain) {
  std::promise<Result<v1::JobState>> promise;
  ledger_->submit(echo(), [&](const Result<Submitted>&) {
    ledger_->claim({.limit = 1, .owner = 1, .methods = {}}, [&](Result<std::vector<ClaimedJob>> jobs) {
      ledger_->finish(jobs->front().id, jobs->front().attempt, Succeeded{"x"},
                      [&](Result<v1::JobState> state) { promise.set_value(std::move(state)); });
    });
  });
  EXPECT_EQ(promise.get_future().get(), v1::SUCCEEDED);
}

TEST_F(SqliteLedgerTest, ObserverIsToldAfterTheCommit) {
  std::promise<v1::Job> promise;
  ledger_->on_change([&promise](const v1::Job& job) {
    if (job.state() == v1::SUCCEEDED) promise.set_value(job);
  });
  const auto id = submit(*ledger_, echo()).value().id;
  EXPECT_EQ(finish(*ledger_, claim(*ledger_, 1).value().at(0), Succeeded{"x"}), v1::SUCCEEDED);
  const v1::Job job = promise.get_future().get();
  EXPECT_EQ(job.id(), id);
  EXPECT_EQ(job.result(), "x");
}

TEST_F(SqliteLedgerTest, FullQueueRefusesOutsidersAtOnceAndLetsTheDispatcherIn) {
  ledger_.reset();
  auto opened = SqliteLedger::open({.file = folder_.path() / "ledger.db", .home = "home", .queued_max = 3});
  ASSERT_TRUE(opened);
  ledger_ = std::move(*opened);
  hold();
  for (int i = 0; i < 3; ++i) ledger_->submit(echo(), nullptr);
  Code refused = Code::ok;
  ledger_->submit(echo(), [&refused](const Result<Submitted>& result) { refused = result.error().code(); });
  EXPECT_EQ(refused, Code::resource_exhausted);
  std::promise<std::size_t> claimed;
  ledger_->claim(
      {.limit = 9, .owner = 1, .methods = {}},
      [&claimed](const Result<std::vector<ClaimedJob>>& jobs) { claimed.set_value(jobs->size()); });
  release();
  EXPECT_EQ(claimed.get_future().get(), 3U);
  EXPECT_TRUE(submit(*ledger_, echo()));
}

TEST_F(SqliteLedgerTest, ClosingWorksOffWhatIsQueuedAndRefusesTheRest) {
  hold();
  std::atomic<int> confirmed = 0;
  for (int i = 0; i < 2000; ++i) {
    ledger_->submit(echo(), [&confirmed](const Result<Submitted>& result) { confirmed += result ? 1 : 0; });
  }
  release();
  ledger_->close();
  EXPECT_EQ(confirmed, 2000);
  EXPECT_EQ(submit(*ledger_, echo()).error().code(), Code::unavailable);
  ledger_.reset();
  ledger_ = open_ledger(folder_.path());
  EXPECT_EQ(counts(*ledger_).value().jobs[v1::READY], 2000U);
}

// Gives the same ids in each life.
TEST_F(SqliteLedgerTest, AnOperationThatFailsByItselfDoesNotFailTheOthersOfItsTransaction) {
  ManualClock clock;
  const auto reopen = [&](SeededRandom& random) {
    ledger_.reset();
    ledger_ =
        SqliteLedger::open({.file = folder_.path() / "ledger.db", .home = "home"}, clock, random).value();
  };
  SeededRandom first_life(7);
  reopen(first_life);
  const auto id = submit(*ledger_, echo()).value().id;
  SeededRandom second_life(7);
  reopen(second_life);
  hold();
  std::vector<std::promise<Result<Submitted>>> promises(3);
  for (auto& promise : promises) {
    ledger_->submit(echo(), [&promise](Result<Submitted> result) { promise.set_value(std::move(result)); });
  }
  release();
  const auto clash = promises[0].get_future().get();
  ASSERT_FALSE(clash) << "id " << clash->id << " must be taken: " << id;
  EXPECT_EQ(clash.error().code(), Code::internal);
  EXPECT_TRUE(promises[1].get_future().get());
  EXPECT_TRUE(promises[2].get_future().get());
  EXPECT_EQ(counts(*ledger_).value().jobs[v1::READY], 3U);
}

TEST_F(SqliteLedgerTest, J6_AnIoErrorRefusesAndLaterWorksAgain) {
  const auto before = submit(*ledger_, echo()).value().id;
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit tiny{.rlim_cur = 4096, .rlim_max = old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tiny), 0);
  const auto refused = submit(*ledger_, echo(std::string(100'000, 'x')));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::unavailable) << refused.error().to_string();
  EXPECT_NE(refused.error().message().find("ledger.db"), std::string::npos);
  EXPECT_TRUE(submit(*ledger_, echo()));
  EXPECT_EQ(get(*ledger_, before).value().size(), 1U);
  EXPECT_EQ(counts(*ledger_).value().jobs[v1::READY], 2U);
}

TEST_F(SqliteLedgerTest, J6_ALedgerThatWasTakenAwayRefusesUntilItIsBack) {
  const auto path = folder_.path() / "ledger.db";
  std::filesystem::rename(path, folder_.path() / "away");
  const auto refused = submit(*ledger_, echo());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::unavailable);
  EXPECT_NE(refused.error().message().find("moved or deleted"), std::string::npos);
  std::filesystem::rename(folder_.path() / "away", path);
  EXPECT_TRUE(submit(*ledger_, echo()));
}

}  // namespace
}  // namespace cobus::job
