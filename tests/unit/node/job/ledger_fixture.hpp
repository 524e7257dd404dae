// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the ledger share: asking a ledger and waiting for its answer as if it were an ordinary
// function.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node/job/sqlite_ledger.hpp"
#include "tests/support/private_folder.hpp"

namespace cobus::job {

// Calls `ask` with a Done<T> and waits for what it is given.
template <class T, class Ask>
Result<T> wait_for(Ask ask) {
  std::promise<Result<T>> promise;
  auto answer = promise.get_future();
  ask(Done<T>([&promise](Result<T> result) { promise.set_value(std::move(result)); }));
  return answer.get();
}

inline Result<Submitted> submit(Ledger& ledger, NewJob job) {
  return wait_for<Submitted>([&](Done<Submitted> done) { ledger.submit(std::move(job), std::move(done)); });
}
inline Result<std::vector<ClaimedJob>> claim(Ledger& ledger, std::uint32_t limit) {
  return wait_for<std::vector<ClaimedJob>>([&](Done<std::vector<ClaimedJob>> done) {
    ledger.claim(ClaimRequest{.limit = limit, .owner = 1, .methods = {}}, std::move(done));
  });
}
inline Result<v1::JobState> finish(Ledger& ledger, const ClaimedJob& job, Outcome outcome) {
  return wait_for<v1::JobState>([&](Done<v1::JobState> done) {
    ledger.finish(job.id, job.attempt, std::move(outcome), std::move(done));
  });
}
inline Result<Recovered> recover(Ledger& ledger) {
  return wait_for<Recovered>([&](Done<Recovered> done) { ledger.recover(std::move(done)); });
}
inline Result<std::vector<v1::Job>> get(Ledger& ledger, const std::string& prefix) {
  return wait_for<std::vector<v1::Job>>(
      [&](Done<std::vector<v1::Job>> done) { ledger.get(prefix, std::move(done)); });
}
inline Result<Counts> counts(Ledger& ledger) {
  return wait_for<Counts>([&](Done<Counts> done) { ledger.counts(std::move(done)); });
}

inline NewJob echo(std::string payload = "hello", std::string key = {}) {
  NewJob job;
  job.method = "echo.Echo/Echo";
  job.payload = std::move(payload);
  job.key = std::move(key);
  return job;
}

// A ledger in `folder`, or nothing and a failed test.
inline std::unique_ptr<SqliteLedger> open_ledger(const std::filesystem::path& folder) {
  auto ledger = SqliteLedger::open({.file = folder / "ledger.db", .home = "home"});
  if (!ledger) ADD_FAILURE() << ledger.error().to_string();
  return ledger ? std::move(*ledger) : nullptr;
}

}  // namespace cobus::job
