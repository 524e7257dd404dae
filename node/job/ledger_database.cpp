// SPDX-License-Identifier: Apache-2.0
#include "node/job/ledger_database.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstring>

namespace cobus::job {
namespace {

constexpr int application_id = 0x636f6273;  // "cobs"
// Another program that looks at the file is given this long to let go.
constexpr int busy_timeout_ms = 1000;

// The hot row is small and never holds a blob of the user's; payload and result are never rewritten by
// a change of state. States are numbers of cobus.v1.JobState: 3 is READY.
constexpr const char* schema = R"sql(
CREATE TABLE job (
  seq INTEGER PRIMARY KEY,              -- order of submission
  id TEXT NOT NULL UNIQUE,
  method TEXT NOT NULL,
  state INTEGER NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,   -- grows with each claim: the fence
  unstarted INTEGER NOT NULL DEFAULT 0, -- attempts that nobody took
  attempts_max INTEGER NOT NULL,
  crashes INTEGER NOT NULL DEFAULT 0,
  owner INTEGER NOT NULL DEFAULT 0,     -- incarnation that claimed it last
  timeout_us INTEGER NOT NULL,
  submitted_us INTEGER NOT NULL,
  started_us INTEGER NOT NULL DEFAULT 0,
  finished_us INTEGER NOT NULL DEFAULT 0,
  node TEXT NOT NULL DEFAULT '',
  wait_reason TEXT NOT NULL DEFAULT '',
  error BLOB,                           -- cobus.v1.Status
  labels BLOB,                          -- cobus.v1.Job with nothing but labels
  role INTEGER NOT NULL DEFAULT 3       -- cobus.v1.Role of whoever submitted it; 3 is SUBMIT, who may least
) STRICT;
CREATE INDEX job_ready ON job (method, seq) WHERE state = 3;
CREATE TABLE job_payload (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT;
CREATE TABLE job_result (seq INTEGER PRIMARY KEY, result BLOB NOT NULL) STRICT;
CREATE TABLE idempotency (key TEXT PRIMARY KEY, seq INTEGER NOT NULL, request BLOB NOT NULL) STRICT, WITHOUT ROWID;
)sql";

int pragma(SQLite::Database& sql, const char* text) { return sql.execAndGet(text).getInt(); }

}  // namespace

Result<LedgerDatabase> LedgerDatabase::open(const std::filesystem::path& path) {
  auto file = LedgerFile::acquire(path);
  if (!file) return fail(std::move(file.error()));
  LedgerDatabase database(std::move(*file));
  try {
    database.sql_ =
        std::make_unique<SQLite::Database>(path.string(), SQLite::OPEN_READWRITE, busy_timeout_ms);
    database.configure();
    if (Status status = database.check(); !status.ok()) return fail(std::move(status));
    database.make_tables();
  } catch (const SQLite::Exception& error) {
    return fail(database.explain(error));
  }
  return database;
}

void LedgerDatabase::configure() {
  // Exclusive also means no shared-memory file, which a full disk would turn into a SIGBUS.
  sql_->exec(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -32768; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF");
  const std::string mode = sql_->execAndGet("PRAGMA journal_mode = WAL").getString();
  if (mode != "wal") throw SQLite::Exception("the write-ahead log cannot be used here", SQLITE_CANTOPEN);
  sql_->exec(
      "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864");
  spdlog::debug("ledger {}: SQLite {}, WAL, synchronous=FULL, one exclusive connection",
                file_.path().string(), sqlite3_libversion());
}

Status LedgerDatabase::check() {
  const int version = pragma(*sql_, "PRAGMA user_version");
  const int application = pragma(*sql_, "PRAGMA application_id");
  const bool fresh =
      version == 0 && application == 0 && pragma(*sql_, "SELECT count(*) FROM sqlite_schema") == 0;
  if (fresh) return {};
  const std::string name = file_.path().string();
  if (application != application_id) {
    return {Code::failed_precondition,
            fmt::format("{} is a database of another program, not a ledger: name another file", name)};
  }
  if (version > ledger_schema) {
    return {Code::failed_precondition,
            fmt::format("ledger {} was written by a newer release (schema {}, this one knows {}): run that "
                        "release, or give this node another --state folder",
                        name, version, ledger_schema)};
  }
  const std::string verdict = sql_->execAndGet("PRAGMA quick_check(1)").getString();
  if (verdict != "ok") {
    return {Code::data_loss, fmt::format("ledger {} is damaged: {}: put a copy in its place, or move it away "
                                         "to start with an empty one",
                                         name, verdict)};
  }
  return {};
}

void LedgerDatabase::make_tables() {
  if (pragma(*sql_, "PRAGMA user_version") != 0) return upgrade();
  sql_->exec("BEGIN IMMEDIATE");
  sql_->exec(schema);
  sql_->exec(
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", application_id, ledger_schema));
  sql_->exec("COMMIT");
}

// From what an earlier release wrote, in one transaction.
void LedgerDatabase::upgrade() {
  if (pragma(*sql_, "PRAGMA user_version") == ledger_schema) return;
  sql_->exec("BEGIN IMMEDIATE; ALTER TABLE job ADD COLUMN role INTEGER NOT NULL DEFAULT 3");
  sql_->exec(fmt::format("PRAGMA user_version = {}; COMMIT", ledger_schema));
}

Status LedgerDatabase::explain(const SQLite::Exception& error) const {
  const int system_error = sql_ ? sqlite3_system_errno(sql_->getHandle()) : 0;
  const std::string name = file_.path().string();
  const int code = error.getErrorCode() & 0xff;
  const bool full =
      code == SQLITE_FULL || (code == SQLITE_IOERR && (system_error == ENOSPC || system_error == EDQUOT));
  if (full) {
    return {
        Code::resource_exhausted,
        fmt::format("ledger {}: disk full ({}): make room and try again; no confirmed job is lost, and it "
                    "recovers by itself",
                    name, file_.free_space())};
  }
  switch (code) {
    case SQLITE_NOTADB:
      return {Code::failed_precondition, fmt::format("{} is not a ledger: name another file", name)};
    case SQLITE_CORRUPT:
      return {Code::data_loss,
              fmt::format("ledger {} is damaged: {}: stop the node and put a copy in its place", name,
                          error.what())};
    case SQLITE_NOMEM:
      return {Code::resource_exhausted, fmt::format("ledger {}: out of memory", name)};
    case SQLITE_TOOBIG:
      return {Code::invalid_argument, fmt::format("ledger {}: too large for it: {}", name, error.what())};
    case SQLITE_BUSY:
      return {Code::unavailable,
              fmt::format("ledger {} is open in another program: close that and try again", name)};
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_MISUSE:
      return {Code::internal, fmt::format("ledger {}: {}", name, error.what())};
    default:
      return {Code::unavailable, fmt::format("ledger {}: {}{}{}: try again; no confirmed job is lost", name,
                                             error.what(), system_error == 0 ? "" : ": ",
                                             system_error == 0 ? "" : std::strerror(system_error))};
  }
}

bool LedgerDatabase::concerns_one_operation(const SQLite::Exception& error) noexcept {
  switch (error.getErrorCode() & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
      return true;
    default:
      return false;
  }
}

}  // namespace cobus::job
