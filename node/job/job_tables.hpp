// SPDX-License-Identifier: Apache-2.0
//
// JobTables: what each operation on the ledger does to its tables, and what follows once it is
// committed: counters, the memory of running attempts, the observers. Knows nothing of threads and
// batches: SqliteLedger calls begin, any operations, then commit or rollback, all on its thread.
// Operations throw SQLite::Exception when SQLite fails; the transaction must be rolled back then.
#pragma once

#include <SQLiteCpp/Statement.h>

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "node/job/ledger.hpp"
#include "node/job/ulid.hpp"

namespace cobus::job {

class JobTables {
 public:
  // `home` is the name of the node whose ledger this is. The references must outlive the object.
  JobTables(SQLite::Database& sql, std::string home, const Clock& clock, Random& random);

  void begin();
  // Makes what was done since `begin` durable and counts it. Observers hear of it with `publish`.
  void commit();
  // Undoes what was done since `begin`; never throws.
  void rollback() noexcept;
  // Tells the observer what the last commit changed.
  void publish();

  // Within a transaction; see Ledger for what they mean.
  [[nodiscard]] Result<Submitted> submit(const NewJob& job);
  [[nodiscard]] Result<std::vector<ClaimedJob>> claim(const ClaimRequest& request);
  [[nodiscard]] Result<v1::JobState> finish(const std::string& id, std::uint32_t attempt,
                                            const Outcome& outcome);
  [[nodiscard]] Result<Recovered> recover();
  [[nodiscard]] Result<void> set_wait_reason(const std::vector<std::string>& ids, const std::string& reason);

  // These touch memory only.
  void assign(const std::string& id, std::uint32_t attempt, const std::string& node);
  void progress(const std::string& id, std::uint32_t attempt, const v1::Progress& progress);
  void observe(Observer observer) { observer_ = std::move(observer); }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

  // Outside a transaction.
  [[nodiscard]] Result<std::vector<v1::Job>> get(const std::string& prefix);
  [[nodiscard]] std::vector<v1::Job> get_by_key(const std::string& key);
  [[nodiscard]] JobPage list(const v1::ListJobsRequest& request, std::int64_t from);

 private:
  // What a READY job that nobody gave a reason waits for. `seq` is its own.
  [[nodiscard]] std::string turn_of(const std::string& method, std::int64_t seq);
  struct Row {
    std::int64_t seq = 0;
    std::uint32_t attempt = 0;
    v1::Job job;
  };
  struct Change {
    Row row;
    v1::JobState from;  // JOB_STATE_UNSPECIFIED: it is new
  };
  struct Running {
    std::uint32_t attempt = 0;
    v1::Job job;
  };
  // How a finished attempt changes its row.
  struct Ending {
    v1::JobState state = v1::FAILED;
    std::string wait_reason;
    std::string error;  // bytes of a v1::Status
    bool crashed = false;
    bool started = true;
  };

  [[nodiscard]] Row read_row(SQLite::Statement& statement) const;
  [[nodiscard]] std::vector<std::string> ready_methods();
  [[nodiscard]] std::vector<std::int64_t> ready_jobs(const ClaimRequest& request);
  [[nodiscard]] Ending hand_back(const std::string& id, std::uint32_t attempt, const HandedBack& outcome);
  [[nodiscard]] Result<v1::JobState> end_attempt(const std::string& id, std::uint32_t attempt,
                                                 const Ending& ending, const std::string* result);
  [[nodiscard]] Status why_fenced(const std::string& id, std::uint32_t attempt);
  void changed(Row row, v1::JobState from);
  Running* running(const std::string& id, std::uint32_t attempt);

  const std::string home_;
  const Clock& clock_;
  UlidSource ulids_;
  Observer observer_;
  Counts counts_;
  std::unordered_map<std::string, Running> running_;
  std::unordered_set<std::string> progressed_;  // running jobs whose progress nobody was told of
  std::vector<Change> changes_;

  SQLite::Database& sql_;
  SQLite::Statement begin_, commit_, rollback_;
  SQLite::Statement find_key_, insert_job_, insert_payload_, insert_key_;
  SQLite::Statement next_ready_method_, ready_of_method_, claim_, payload_of_;
  SQLite::Statement attempts_of_, end_attempt_, insert_result_, find_state_, all_running_, set_reason_;
  SQLite::Statement get_, before_, result_of_, list_;
};

}  // namespace cobus::job
