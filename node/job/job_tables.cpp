// SPDX-License-Identifier: Apache-2.0
#include "node/job/job_tables.hpp"

#include <SQLiteCpp/Database.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "node/job/record.hpp"
#include "node/job/statement.hpp"
#include "proto/codec.hpp"

namespace cobus::job {
namespace {

// What read_row expects, in this order.
const std::string columns =
    " seq, attempt, id, method, state, attempt - unstarted, attempts_max, node, wait_reason, submitted_us,"
    " started_us, finished_us, error, labels ";
constexpr int column_count = 14;

// A page of a list looks at so many jobs at most, so that others get their turn.
constexpr int scanned_max = 10'000;
// So many jobs before another one are counted, for the same reason.
constexpr std::int64_t before_max = 10'000;

std::size_t index_of(v1::JobState state) { return static_cast<std::size_t>(state); }

}  // namespace

JobTables::JobTables(SQLite::Database& sql, std::string home, const Clock& clock, Random& random)
    : home_(std::move(home)),
      clock_(clock),
      ulids_(clock, random),
      sql_(sql),
      begin_(sql, "BEGIN"),
      commit_(sql, "COMMIT"),
      rollback_(sql, "ROLLBACK"),
      find_key_(sql, "SELECT request, id FROM idempotency JOIN job USING (seq) WHERE key = ?1"),
      insert_job_(sql,
                  "INSERT INTO job (id, method, state, attempts_max, timeout_us, submitted_us, labels, role)"
                  " VALUES (?1, ?2, 3, ?3, ?4, ?5, ?6, ?7)"),
      insert_payload_(sql, "INSERT INTO job_payload (seq, payload) VALUES (?1, ?2)"),
      insert_key_(sql, "INSERT INTO idempotency (key, seq, request) VALUES (?1, ?2, ?3)"),
      next_ready_method_(sql,
                         "SELECT method FROM job WHERE state = 3 AND method > ?1 ORDER BY method LIMIT 1"),
      ready_of_method_(sql, "SELECT seq FROM job WHERE state = 3 AND method = ?1 ORDER BY seq LIMIT ?2"),
      claim_(sql,
             "UPDATE job SET state = 4, attempt = attempt + 1, owner = ?2, started_us = ?3, node = '',"
             " wait_reason = '' WHERE seq = ?1 AND state = 3 RETURNING" +
                 columns + ", timeout_us, role"),
      payload_of_(sql, "SELECT payload FROM job_payload WHERE seq = ?1"),
      attempts_of_(sql,
                   "SELECT attempt - unstarted, attempts_max, crashes FROM job"
                   " WHERE id = ?1 AND attempt = ?2 AND state = 4"),
      end_attempt_(sql,
                   "UPDATE job SET state = ?3, wait_reason = ?4, error = ?5, crashes = crashes + ?6,"
                   " unstarted = unstarted + ?7, finished_us = ?8, node = ?9"
                   " WHERE id = ?1 AND attempt = ?2 AND state = 4 RETURNING" +
                       columns),
      insert_result_(sql, "INSERT INTO job_result (seq, result) VALUES (?1, ?2)"),
      find_state_(sql, "SELECT state, attempt FROM job WHERE id = ?1"),
      all_running_(sql, "SELECT id, attempt FROM job WHERE state = 4 ORDER BY seq"),
      set_reason_(sql,
                  "UPDATE job SET wait_reason = ?2 WHERE id = ?1 AND state = 3 AND wait_reason <> ?2"
                  " RETURNING" +
                      columns),
      get_(sql, "SELECT" + columns + "FROM job WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3"),
      before_(sql,
              "SELECT count(*) FROM"
              " (SELECT 1 FROM job WHERE state = 3 AND method = ?1 AND seq < ?2 LIMIT ?3)"),
      result_of_(sql, "SELECT result FROM job_result WHERE seq = ?1"),
      list_(sql, "SELECT" + columns + "FROM job WHERE submitted_us >= ?1 AND seq < ?2 ORDER BY seq DESC") {
  SQLite::Statement states(sql, "SELECT state, count(*) FROM job GROUP BY state");
  while (states.executeStep()) {
    const auto state = static_cast<std::size_t>(states.getColumn(0).getInt64());
    if (state < counts_.jobs.size())
      counts_.jobs[state] = static_cast<std::uint64_t>(states.getColumn(1).getInt64());
  }
}

void JobTables::begin() {
  changes_.clear();
  Execution(begin_).step();
}

void JobTables::commit() {
  Execution(commit_).step();
  for (Change& change : changes_) {
    const v1::Job& job = change.row.job;
    if (change.from != v1::JOB_STATE_UNSPECIFIED) --counts_.jobs[index_of(change.from)];
    ++counts_.jobs[index_of(job.state())];
    if (job.state() == v1::RUNNING) {
      running_.insert_or_assign(job.id(), Running{change.row.attempt, job});
    } else if (change.from == v1::RUNNING) {
      running_.erase(job.id());
      progressed_.erase(job.id());
    }
  }
}

void JobTables::rollback() noexcept {
  changes_.clear();
  rollback_.tryExecuteStep();  // fails harmlessly when SQLite has rolled back by itself
  rollback_.tryReset();
}

void JobTables::publish() {
  if (observer_) {
    for (const Change& change : changes_) observer_(change.row.job);
    for (const std::string& id : progressed_) observer_(running_.at(id).job);
  }
  changes_.clear();
  progressed_.clear();
}

Result<Submitted> JobTables::submit(const NewJob& job) {
  if (job.method.empty()) return fail(Code::invalid_argument, "a job needs a method: package.Service/Method");
  std::string hash;
  if (!job.key.empty()) {
    const std::string as_it_is = request_hash(job.method, job.payload);
    hash = job.canonical.empty() ? as_it_is : request_hash(job.method, job.canonical);
    Execution known(find_key_, job.key);
    if (known.step()) {
      std::string id = known.text(1);
      // Earlier releases kept the hash of the payload as it came.
      if (known.text(0) == hash || known.text(0) == as_it_is) return Submitted{std::move(id), true};
      return fail(Code::already_exists,
                  fmt::format("the key \"{}\" belongs to job {}, which is another request: use another key",
                              job.key, id));
    }
  }
  Row row;
  row.job.set_id(ulids_.next());
  row.job.set_method(job.method);
  row.job.set_state(v1::READY);
  row.job.set_attempts_max(job.attempts_max == 0 ? attempts_max_default : job.attempts_max);
  row.job.set_submitted_us(clock_.unix_us());
  row.job.set_home(home_);
  row.job.mutable_labels()->insert(job.labels.begin(), job.labels.end());
  const std::string labels = encode_labels(job.labels);
  Execution(insert_job_, row.job.id(), job.method, row.job.attempts_max(), job.timeout_us,
            row.job.submitted_us(), Blob{labels}, static_cast<int>(job.role))
      .step();
  row.seq = sql_.getLastInsertRowid();
  Execution(insert_payload_, row.seq, Blob{job.payload}).step();
  if (!job.key.empty()) Execution(insert_key_, job.key, row.seq, Blob{hash}).step();
  Submitted submitted{row.job.id(), false};
  changed(std::move(row), v1::JOB_STATE_UNSPECIFIED);
  return submitted;
}

std::vector<std::string> JobTables::ready_methods() {
  std::vector<std::string> methods;
  std::string after;
  for (;;) {
    Execution next(next_ready_method_, after);
    if (!next.step()) return methods;
    methods.push_back(next.text(0));
    after = methods.back();
  }
}

std::vector<std::int64_t> JobTables::ready_jobs(const ClaimRequest& request) {
  std::vector<std::int64_t> found;
  for (const std::string& method : request.methods.empty() ? ready_methods() : request.methods) {
    Execution ready(ready_of_method_, method, request.limit);
    while (ready.step()) found.push_back(ready.integer(0));
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.size() > request.limit) found.resize(request.limit);
  return found;
}

Result<std::vector<ClaimedJob>> JobTables::claim(const ClaimRequest& request) {
  std::vector<ClaimedJob> claimed;
  const std::int64_t now_us = clock_.unix_us();
  for (const std::int64_t seq : ready_jobs(request)) {
    Execution update(claim_, seq, request.owner, now_us);
    if (!update.step()) continue;
    Row row = read_row(update.statement());
    ClaimedJob job;
    job.id = row.job.id();
    job.method = row.job.method();
    job.attempt = row.attempt;
    job.attempts_max = row.job.attempts_max();
    job.timeout_us = std::min(static_cast<std::uint64_t>(update.integer(column_count)), timeout_us_max);
    job.role = static_cast<v1::Role>(update.integer(column_count + 1));
    Execution payload(payload_of_, seq);
    if (payload.step()) job.payload = payload.text(0);
    claimed.push_back(std::move(job));
    changed(std::move(row), v1::READY);
  }
  return claimed;
}

Result<v1::JobState> JobTables::finish(const std::string& id, std::uint32_t attempt, const Outcome& outcome) {
  if (const auto* succeeded = std::get_if<Succeeded>(&outcome)) {
    return end_attempt(id, attempt, Ending{.state = v1::SUCCEEDED, .wait_reason = {}, .error = {}},
                       &succeeded->result);
  }
  if (const auto* failed = std::get_if<Failed>(&outcome)) {
    return end_attempt(id, attempt,
                       Ending{.state = v1::FAILED, .wait_reason = {}, .error = encode_status(failed->error)},
                       nullptr);
  }
  return end_attempt(id, attempt, hand_back(id, attempt, std::get<HandedBack>(outcome)), nullptr);
}

JobTables::Ending JobTables::hand_back(const std::string& id, std::uint32_t attempt,
                                       const HandedBack& outcome) {
  Ending ending{.state = v1::READY,
                .wait_reason = outcome.wait_reason,
                .error = {},
                .crashed = outcome.crashed,
                .started = outcome.started};
  Execution attempts(attempts_of_, id, attempt);
  if (!attempts.step() || !outcome.started) return ending;  // end_attempt refuses what is not running
  const std::uint32_t used = attempts.small(0);
  if (used < attempts.small(1)) return ending;
  const std::uint32_t crashes = attempts.small(2) + (outcome.crashed ? 1 : 0);
  ending.state = v1::FAILED;
  ending.wait_reason.clear();
  ending.error = encode_status(attempts_used_up(outcome.code, used, crashes, outcome.wait_reason));
  return ending;
}

Result<v1::JobState> JobTables::end_attempt(const std::string& id, std::uint32_t attempt,
                                            const Ending& ending, const std::string* result) {
  const Running* known = running(id, attempt);
  const std::string node = known == nullptr ? std::string() : known->job.node();
  const std::int64_t finished_us = is_final(ending.state) ? clock_.unix_us() : 0;
  Execution update(end_attempt_, id, attempt, static_cast<int>(ending.state), ending.wait_reason,
                   Blob{ending.error}, ending.crashed ? 1 : 0, ending.started ? 0 : 1, finished_us, node);
  if (!update.step()) return fail(why_fenced(id, attempt));
  Row row = read_row(update.statement());
  if (result != nullptr) {
    if (!result->empty()) Execution(insert_result_, row.seq, Blob{*result}).step();
    row.job.set_result(*result);
  }
  changed(std::move(row), v1::RUNNING);
  return ending.state;
}

Status JobTables::why_fenced(const std::string& id, std::uint32_t attempt) {
  Execution found(find_state_, id);
  if (!found.step()) return {Code::not_found, fmt::format("there is no job {} in this ledger", id)};
  const auto state = static_cast<v1::JobState>(found.integer(0));
  return {Code::failed_precondition,
          fmt::format(
              "attempt {} of job {} is not the one that runs: the job is {} and its newest attempt is {}; "
              "nothing was recorded",
              attempt, id, state_name(state), found.small(1))};
}

Result<Recovered> JobTables::recover() {
  std::vector<std::pair<std::string, std::uint32_t>> interrupted;
  {
    Execution all(all_running_);
    while (all.step()) interrupted.emplace_back(all.text(0), all.small(1));
  }
  const HandedBack restarted{.wait_reason = "the node that keeps the job was restarted while it ran"};
  Recovered recovered;
  for (const auto& [id, attempt] : interrupted) {
    const auto state = finish(id, attempt, restarted);
    if (!state) return fail(state.error());
    ++(*state == v1::READY ? recovered.ready : recovered.failed);
  }
  return recovered;
}

Result<void> JobTables::set_wait_reason(const std::vector<std::string>& ids, const std::string& reason) {
  for (const std::string& id : ids) {
    Execution update(set_reason_, id, reason);
    if (update.step()) changed(read_row(update.statement()), v1::READY);
  }
  return {};
}

JobTables::Running* JobTables::running(const std::string& id, std::uint32_t attempt) {
  const auto found = running_.find(id);
  return found == running_.end() || found->second.attempt != attempt ? nullptr : &found->second;
}

void JobTables::assign(const std::string& id, std::uint32_t attempt, const std::string& node) {
  if (Running* known = running(id, attempt)) {
    known->job.set_node(node);
    progressed_.insert(id);
  }
}

void JobTables::progress(const std::string& id, std::uint32_t attempt, const v1::Progress& progress) {
  if (Running* known = running(id, attempt)) {
    *known->job.mutable_progress() = progress;
    progressed_.insert(id);
  }
}

Result<std::vector<v1::Job>> JobTables::get(const std::string& prefix) {
  const std::string from = ulid_prefix(prefix);
  if (from.empty()) return fail(Code::invalid_argument, "name the job: its id or the beginning of it");
  std::vector<v1::Job> jobs;
  const std::string past = from + '~';  // larger than every character of an id
  std::int64_t seq = 0;
  std::size_t bytes = 0;
  Execution found(get_, from, past, list_limit_default);
  while (bytes < page_bytes_max && found.step()) {
    Row row = read_row(found.statement());
    seq = row.seq;
    bytes += row.job.ByteSizeLong();
    jobs.push_back(std::move(row.job));
  }
  if (jobs.size() == 1) {
    Execution result(result_of_, seq);
    if (result.step()) jobs.front().set_result(result.text(0));
    v1::Job& job = jobs.front();
    if (job.state() == v1::READY && job.wait_reason().empty())
      job.set_wait_reason(turn_of(job.method(), seq));
  }
  return jobs;
}

std::string JobTables::turn_of(const std::string& method, std::int64_t seq) {
  Execution counted(before_, method, seq, before_max);
  const std::int64_t before = counted.step() ? counted.integer(0) : 0;
  if (before == 0) return "no node that offers the method has a free place yet; it is the next one";
  return fmt::format("{}{} of this method {} before it", before, before == before_max ? " or more" : "",
                     before == 1 ? "is" : "are");
}

std::vector<v1::Job> JobTables::get_by_key(const std::string& key) {
  std::string id;
  {
    Execution known(find_key_, key);
    if (!known.step()) return {};
    id = known.text(1);
  }
  std::vector<v1::Job> jobs;
  const std::string past = id + '~';  // a statement refers to what it is given
  Execution found(get_, id, past, 1);
  if (found.step()) jobs.push_back(read_row(found.statement()).job);
  return jobs;
}

JobPage JobTables::list(const v1::ListJobsRequest& request, std::int64_t from) {
  const std::uint32_t limit =
      request.limit() == 0 ? list_limit_default : std::min(request.limit(), list_limit_max);
  JobPage page;
  std::size_t bytes = 0;
  Execution found(list_, request.since_us(), from == 0 ? std::numeric_limits<std::int64_t>::max() : from);
  for (int scanned = 0; found.step(); ++scanned) {
    Row row = read_row(found.statement());
    page.next = row.seq;
    if (matches(row.job, request)) {
      bytes += row.job.ByteSizeLong();
      page.jobs.push_back(std::move(row.job));
    }
    if (page.jobs.size() == limit || bytes >= page_bytes_max || scanned == scanned_max) return page;
  }
  page.next = 0;
  return page;
}

JobTables::Row JobTables::read_row(SQLite::Statement& statement) const {
  const auto text = [&statement](int column) { return statement.getColumn(column).getString(); };
  Row row;
  row.seq = statement.getColumn(0).getInt64();
  row.attempt = statement.getColumn(1).getUInt();
  v1::Job& job = row.job;
  job.set_id(text(2));
  job.set_method(text(3));
  job.set_state(static_cast<v1::JobState>(statement.getColumn(4).getInt()));
  job.set_attempt(statement.getColumn(5).getUInt());
  job.set_attempts_max(statement.getColumn(6).getUInt());
  job.set_node(text(7));
  job.set_wait_reason(text(8));
  job.set_submitted_us(statement.getColumn(9).getInt64());
  job.set_started_us(statement.getColumn(10).getInt64());
  job.set_finished_us(statement.getColumn(11).getInt64());
  if (const std::string error = text(12); !error.empty()) job.mutable_error()->ParseFromString(error);
  if (const std::string labels = text(13); !labels.empty()) job.MergeFromString(labels);
  job.set_home(home_);
  if (job.state() == v1::RUNNING) {
    if (const auto found = running_.find(job.id());
        found != running_.end() && found->second.attempt == row.attempt) {
      job.set_node(found->second.job.node());
      *job.mutable_progress() = found->second.job.progress();
    }
  }
  return row;
}

void JobTables::changed(Row row, v1::JobState from) { changes_.push_back(Change{std::move(row), from}); }

}  // namespace cobus::job
