// SPDX-License-Identifier: Apache-2.0
#include "node/job/sqlite_ledger.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace cobus::job {
namespace {

// One transaction takes at most this much: enough to share a sync widely, little enough that the first
// waits for few others and that its pages fit into memory.
constexpr std::size_t batch_operations_max = 512;
constexpr std::size_t batch_bytes_max = std::size_t{16} * 1024 * 1024;

// Without a write that failed, before it is said that writing works again.
constexpr Duration works_again_after = std::chrono::seconds(5);

std::size_t bytes_of(const NewJob& job) {
  std::size_t bytes = job.method.size() + job.payload.size() + job.key.size();
  for (const auto& [name, value] : job.labels) bytes += name.size() + value.size();
  return bytes;
}

std::size_t bytes_of(const Outcome& outcome) {
  const auto* succeeded = std::get_if<Succeeded>(&outcome);
  return succeeded == nullptr ? 0 : succeeded->result.size();
}

}  // namespace

// One thing to do on the ledger's thread.
class SqliteLedger::Operation {
 public:
  Operation(Access access_, std::size_t bytes_) : access(access_), bytes(bytes_) {}
  virtual ~Operation() = default;
  virtual void run(JobTables& tables) = 0;
  virtual void fail(Status status) = 0;
  virtual void answer() = 0;

  const Access access;
  const std::size_t bytes;
  bool failed = false;  // by itself: the transaction goes on without it
};

template <class T, class Body>
class SqliteLedger::Call final : public Operation {
 public:
  Call(Access access_, std::size_t bytes_, Body body, Done<T> done)
      : Operation(access_, bytes_), body_(std::move(body)), done_(std::move(done)) {}
  void run(JobTables& tables) override { result_ = body_(tables); }
  void fail(Status status) override { result_ = std::unexpected<Status>(std::move(status)); }
  void answer() override {
    if (done_) done_(std::move(result_));
  }

 private:
  Body body_;
  Done<T> done_;
  Result<T> result_;
};

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::open(Options options, const Clock& clock,
                                                         Random& random) {
  auto database = LedgerDatabase::open(options.file);
  if (!database) return cobus::fail(std::move(database.error()));
  try {
    return std::unique_ptr<SqliteLedger>(
        new SqliteLedger(std::move(options), std::move(*database), clock, random));
  } catch (const SQLite::Exception& error) {
    return cobus::fail(Code::data_loss, fmt::format("a ledger without its tables: {}", error.what()));
  }
}

SqliteLedger::SqliteLedger(Options options, LedgerDatabase database, const Clock& clock, Random& random)
    : options_(std::move(options)),
      database_(std::move(database)),
      tables_(database_.sql(), options_.home, clock, random),
      clock_(clock),
      thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "cobus-ledger");
}

SqliteLedger::~SqliteLedger() { close(); }

void SqliteLedger::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

template <class T, class Body>
void SqliteLedger::queue(Access access, From from, std::size_t bytes, Body body, Done<T> done) {
  std::unique_ptr<Operation> operation =
      std::make_unique<Call<T, Body>>(access, bytes, std::move(body), std::move(done));
  if (Status refused = admit(operation, from); !refused.ok()) {
    operation->fail(std::move(refused));
    operation->answer();
  }
}

Status SqliteLedger::admit(std::unique_ptr<Operation>& operation, From from) {
  const std::lock_guard lock(mutex_);
  if (closed_) {
    return {Code::unavailable,
            fmt::format("ledger {} is closed: its node is stopping", options_.file.string())};
  }
  const bool full = queued_.size() >= options_.queued_max || queued_bytes_ >= options_.queued_bytes_max;
  if (full && from == From::outside) {
    return {Code::resource_exhausted,
            fmt::format("ledger {}: {} operations wait for the disk already: try again",
                        options_.file.string(), queued_.size())};
  }
  queued_bytes_ += operation->bytes;
  queued_.push_back(std::move(operation));
  if (queued_.size() == 1) wake_.notify_one();
  return {};
}

void SqliteLedger::run() {
  Operations batch;
  while (take(batch)) {
    remember(batch);
    write(batch);
    tables_.publish();
    read(batch);
    batch.clear();
  }
}

bool SqliteLedger::take(Operations& batch) {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return closed_ || !queued_.empty(); });
  std::size_t bytes = 0;
  while (!queued_.empty() && batch.size() < batch_operations_max && bytes < batch_bytes_max) {
    bytes += queued_.front()->bytes;
    batch.push_back(std::move(queued_.front()));
    queued_.pop_front();
  }
  queued_bytes_ -= bytes;
  return !batch.empty();
}

bool SqliteLedger::any(const Operations& batch, Access access) {
  return std::ranges::any_of(batch, [access](const auto& each) { return each->access == access; });
}

void SqliteLedger::remember(Operations& batch) {
  for (const auto& each : batch) {
    if (each->access == Access::memory) each->run(tables_);
  }
}

void SqliteLedger::write(Operations& batch) {
  if (!any(batch, Access::write)) return;
  if (Status status = database_.file().in_place(); status.ok()) {
    write_transaction(batch);
  } else {
    fail_writes(batch, status);
  }
  for (const auto& each : batch) {
    if (each->access == Access::write) each->answer();
  }
}

void SqliteLedger::fail_writes(Operations& batch, const Status& status) {
  last_failed_ = clock_.now();
  if (std::exchange(healthy_, false)) spdlog::error("{}", status.message());
  for (const auto& each : batch) {
    if (each->access == Access::write && !each->failed) each->fail(status);
  }
}

void SqliteLedger::write_transaction(Operations& batch) {
  for (;;) {
    Operation* current = nullptr;
    try {
      tables_.begin();
      for (const auto& each : batch) {
        if (each->access != Access::write || each->failed) continue;
        current = each.get();
        each->run(tables_);
      }
      current = nullptr;
      tables_.commit();
      note_commit();
      return;
    } catch (const SQLite::Exception& error) {
      const Status status = database_.explain(error);
      tables_.rollback();
      if (current != nullptr && LedgerDatabase::concerns_one_operation(error)) {
        // The others are done again without it.
        current->failed = true;
        current->fail(status);
        continue;
      }
      fail_writes(batch, status);
      return;
    }
  }
}

// On a full disk one transaction may find room where the next finds none, and one that changes nothing needs
// none.
void SqliteLedger::note_commit() {
  if (healthy_ || clock_.now() - last_failed_ < works_again_after) return;
  healthy_ = true;
  spdlog::info("ledger {}: works again", options_.file.string());
}

void SqliteLedger::read(Operations& batch) {
  for (const auto& each : batch) {
    if (each->access != Access::read) continue;
    try {
      each->run(tables_);
    } catch (const SQLite::Exception& error) {
      each->fail(database_.explain(error));
    }
    each->answer();
  }
}

void SqliteLedger::submit(NewJob job, Done<Submitted> done) {
  const std::size_t bytes = bytes_of(job);
  queue<Submitted>(
      Access::write, From::outside, bytes,
      [job = std::move(job)](JobTables& tables) { return tables.submit(job); }, std::move(done));
}

void SqliteLedger::claim(ClaimRequest request, Done<std::vector<ClaimedJob>> done) {
  queue<std::vector<ClaimedJob>>(
      Access::write, From::inside, 0,
      [request = std::move(request)](JobTables& tables) { return tables.claim(request); }, std::move(done));
}

void SqliteLedger::assign(std::string id, std::uint32_t attempt, std::string node) {
  queue<void>(
      Access::memory, From::inside, 0,
      [id = std::move(id), attempt, node = std::move(node)](JobTables& tables) {
        tables.assign(id, attempt, node);
        return Result<void>();
      },
      nullptr);
}

void SqliteLedger::progress(std::string id, std::uint32_t attempt, v1::Progress progress) {
  queue<void>(
      Access::memory, From::inside, 0,
      [id = std::move(id), attempt, progress = std::move(progress)](JobTables& tables) {
        tables.progress(id, attempt, progress);
        return Result<void>();
      },
      nullptr);
}

void SqliteLedger::finish(std::string id, std::uint32_t attempt, Outcome outcome, Done<v1::JobState> done) {
  const std::size_t bytes = bytes_of(outcome);
  queue<v1::JobState>(
      Access::write, From::inside, bytes,
      [id = std::move(id), attempt, outcome = std::move(outcome)](JobTables& tables) {
        return tables.finish(id, attempt, outcome);
      },
      std::move(done));
}

void SqliteLedger::recover(Done<Recovered> done) {
  queue<Recovered>(
      Access::write, From::inside, 0, [](JobTables& tables) { return tables.recover(); }, std::move(done));
}

void SqliteLedger::set_wait_reason(std::vector<std::string> ids, std::string reason, Done<void> done) {
  queue<void>(
      Access::write, From::inside, 0,
      [ids = std::move(ids), reason = std::move(reason)](JobTables& tables) {
        return tables.set_wait_reason(ids, reason);
      },
      std::move(done));
}

void SqliteLedger::get(std::string prefix, Done<std::vector<v1::Job>> done) {
  queue<std::vector<v1::Job>>(
      Access::read, From::outside, 0,
      [prefix = std::move(prefix)](JobTables& tables) { return tables.get(prefix); }, std::move(done));
}

void SqliteLedger::get_by_key(std::string key, Done<std::vector<v1::Job>> done) {
  queue<std::vector<v1::Job>>(
      Access::read, From::outside, 0,
      [key = std::move(key)](JobTables& tables) {
        return Result<std::vector<v1::Job>>(tables.get_by_key(key));
      },
      std::move(done));
}

void SqliteLedger::list(v1::ListJobsRequest request, std::int64_t from, Done<JobPage> done) {
  queue<JobPage>(
      Access::read, From::outside, 0,
      [request = std::move(request), from](JobTables& tables) {
        return Result<JobPage>(tables.list(request, from));
      },
      std::move(done));
}

void SqliteLedger::counts(Done<Counts> done) {
  queue<Counts>(
      Access::read, From::outside, 0,
      [this](JobTables& tables) {
        Counts counts = tables.counts();
        const std::lock_guard lock(mutex_);
        counts.queued = queued_.size();
        return Result<Counts>(counts);
      },
      std::move(done));
}

void SqliteLedger::on_change(Observer observer) {
  queue<void>(
      Access::memory, From::inside, 0,
      [observer = std::move(observer)](JobTables& tables) {
        tables.observe(observer);
        return Result<void>();
      },
      nullptr);
}

}  // namespace cobus::job
