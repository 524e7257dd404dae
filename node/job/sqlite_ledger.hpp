// SPDX-License-Identifier: Apache-2.0
//
// SqliteLedger: the ledger in one SQLite file, for one node. One thread owns the only connection; it
// takes everything that is queued, does it in one transaction, syncs once, and then answers. So the
// cost of a sync is shared by whatever arrived during the one before, and nothing waits for a timer.
// An operation that fails by itself does not fail the others of its transaction.
//
// What outsiders ask for (submit, get, list, counts) is refused with RESOURCE_EXHAUSTED while the queue
// is full; then, and after `close`, `done` is called at once, on the caller's thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "node/job/job_tables.hpp"
#include "node/job/ledger.hpp"
#include "node/job/ledger_database.hpp"

namespace cobus::job {

class SqliteLedger final : public Ledger {
 public:
  struct Options {
    std::filesystem::path file;  // its folder must exist
    std::string home;            // name of the node, for Job.home
    std::size_t queued_max = 100'000;
    std::size_t queued_bytes_max = std::size_t{256} * 1024 * 1024;
  };

  // Opens the ledger, making it when absent. Errors: see LedgerDatabase::open. `clock` and `random` are
  // used on the ledger's thread and must outlive the ledger.
  [[nodiscard]] static Result<std::unique_ptr<SqliteLedger>> open(Options options,
                                                                  const Clock& clock = system_clock(),
                                                                  Random& random = system_random());
  ~SqliteLedger() override;

  // Works off what is queued. What is asked for later is answered UNAVAILABLE. The file is let go by the
  // destructor. Not from `done` or an observer.
  void close();

  void submit(NewJob job, Done<Submitted> done) override;
  void claim(ClaimRequest request, Done<std::vector<ClaimedJob>> done) override;
  void assign(std::string id, std::uint32_t attempt, std::string node) override;
  void progress(std::string id, std::uint32_t attempt, v1::Progress progress) override;
  void finish(std::string id, std::uint32_t attempt, Outcome outcome, Done<v1::JobState> done) override;
  void recover(Done<Recovered> done) override;
  void set_wait_reason(std::vector<std::string> ids, std::string reason, Done<void> done) override;
  void get(std::string prefix, Done<std::vector<v1::Job>> done) override;
  void get_by_key(std::string key, Done<std::vector<v1::Job>> done) override;
  void list(v1::ListJobsRequest request, std::int64_t from, Done<JobPage> done) override;
  void counts(Done<Counts> done) override;
  void on_change(Observer observer) override;

 private:
  class Operation;
  template <class T, class Body>
  class Call;
  using Operations = std::vector<std::unique_ptr<Operation>>;
  // A batch is done in this order. `memory` touches no table, so it cannot fail.
  enum class Access : std::uint8_t { memory, write, read };
  enum class From : std::uint8_t { outside, inside };

  SqliteLedger(Options options, LedgerDatabase database, const Clock& clock, Random& random);

  // Queues `body(tables)`, whose Result<T> goes to `done`; it may run more than once.
  template <class T, class Body>
  void queue(Access access, From from, std::size_t bytes, Body body, Done<T> done);
  [[nodiscard]] Status admit(std::unique_ptr<Operation>& operation, From from);

  void run();
  [[nodiscard]] bool take(Operations& batch);
  static bool any(const Operations& batch, Access access);
  void remember(Operations& batch);
  void write(Operations& batch);
  void write_transaction(Operations& batch);
  void note_commit();
  void fail_writes(Operations& batch, const Status& status);
  void read(Operations& batch);

  const Options options_;
  LedgerDatabase database_;
  JobTables tables_;
  const Clock& clock_;
  bool healthy_ = true;      // writes are committed; said once when that changes
  TimePoint last_failed_{};  // when one was not

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Operation>> queued_;  // guarded by mutex_
  std::size_t queued_bytes_ = 0;                   // guarded by mutex_
  bool closed_ = false;                            // guarded by mutex_
  std::thread thread_;                             // last: it uses all of the above
};

}  // namespace cobus::job
