// SPDX-License-Identifier: Apache-2.0
//
// InstantLedger: a ledger for simulated time. The real tables, but on the caller's thread and answered
// before the call returns, each operation in a transaction of its own.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "node/job/job_tables.hpp"
#include "node/job/ledger_database.hpp"

namespace cobus::job {

class InstantLedger final : public Ledger {
  template <class Body>
  auto write(Body body) {
    tables_->begin();
    auto result = body();
    tables_->commit();
    tables_->publish();
    return result;
  }

 public:
  InstantLedger(const std::filesystem::path& folder, const std::string& home, const Clock& clock,
                Random& random)
      : database_(LedgerDatabase::open(folder / (home + ".db"))) {
    database_->sql().exec("PRAGMA synchronous = OFF");
    tables_.emplace(database_->sql(), home, clock, random);
  }

  void submit(NewJob job, Done<Submitted> done) override {
    answer(std::move(done), write([&] { return tables_->submit(job); }));
  }
  void claim(ClaimRequest request, Done<std::vector<ClaimedJob>> done) override {
    Result<std::vector<ClaimedJob>> jobs = write([&] { return tables_->claim(request); });
    if (jobs) claimed += jobs->size();
    answer(std::move(done), std::move(jobs));
  }
  void assign(std::string id, std::uint32_t attempt, std::string node) override {
    tables_->assign(id, attempt, node);
  }
  void progress(std::string id, std::uint32_t attempt, v1::Progress progress) override {
    tables_->progress(id, attempt, progress);
  }
  void finish(std::string id, std::uint32_t attempt, Outcome outcome, Done<v1::JobState> done) override {
    Result<v1::JobState> state = write([&] { return tables_->finish(id, attempt, outcome); });
    if (done) answer(std::move(done), std::move(state));
  }
  void recover(Done<Recovered> done) override {
    done(write([&] { return tables_->recover(); }));
  }
  void set_wait_reason(std::vector<std::string> ids, std::string reason, Done<void> done) override {
    done(write([&] { return tables_->set_wait_reason(ids, reason); }));
  }
  void get(std::string prefix, Done<std::vector<v1::Job>> done) override { done(tables_->get(prefix)); }
  void get_by_key(std::string key, Done<std::vector<v1::Job>> done) override {
    done(tables_->get_by_key(key));
  }
  void list(v1::ListJobsRequest request, std::int64_t from, Done<JobPage> done) override {
    done(tables_->list(request, from));
  }
  void counts(Done<Counts> done) override { done(tables_->counts()); }
  void on_change(Observer observer) override { tables_->observe(std::move(observer)); }

  // For tests, which ask as if all this were ordinary functions.
  [[nodiscard]] v1::Job job(const std::string& id) { return tables_->get(id)->at(0); }
  std::string submitted(NewJob job) {
    return write([&] { return tables_->submit(job); })->id;
  }
  [[nodiscard]] std::uint64_t count(v1::JobState state) const {
    return tables_->counts().jobs[static_cast<std::size_t>(state)];
  }
  std::uint64_t claimed = 0;  // jobs, since the beginning
  // What was submitted, claimed or finished is answered by let_go() only.
  bool slow = false;
  void let_go() {
    for (auto& held : std::exchange(held_, {})) held();
  }

 private:
  template <class T>
  void answer(Done<T> done, Result<T> with) {
    if (!slow) return done(std::move(with));
    held_.emplace_back([done = std::move(done), with = std::move(with)]() mutable { done(std::move(with)); });
  }
  std::vector<std::move_only_function<void()>> held_;
  Result<LedgerDatabase> database_;
  std::optional<JobTables> tables_;
};

}  // namespace cobus::job
