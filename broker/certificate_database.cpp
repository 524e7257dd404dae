// SPDX-License-Identifier: Apache-2.0
#include "broker/certificate_database.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "node/link/identity.hpp"

namespace cobus::broker {
namespace {

constexpr int application_id = 0x636f6263;  // "cobc"; a ledger's ends in "s"
// Another program that looks at the file is given this long to let go.
constexpr int busy_timeout_ms = 1000;

// One row for a key, name and role, however often its certificate is renewed.
constexpr const char* schema = R"sql(
CREATE TABLE certificate (
  sequence INTEGER PRIMARY KEY,    -- order of enrolment
  fingerprint TEXT NOT NULL,       -- the key in base32
  name TEXT NOT NULL,
  role INTEGER NOT NULL,           -- cobus.v1.Role
  serial INTEGER NOT NULL,         -- of the newest certificate, as are the next two; 64 bits
  not_before INTEGER NOT NULL,     -- Unix seconds
  not_after INTEGER NOT NULL,
  valid_until INTEGER NOT NULL,    -- end of the certificate that ends last
  UNIQUE (fingerprint, name, role)
) STRICT;
CREATE INDEX certificate_name ON certificate (name);
CREATE INDEX certificate_serial ON certificate (serial);
CREATE INDEX certificate_end ON certificate (valid_until);
)sql";

int pragma(SQLite::Database& sql, const char* text) { return sql.execAndGet(text).getInt(); }

}  // namespace

Result<CertificateDatabase> CertificateDatabase::open(const std::filesystem::path& file) {
  if (Status checked = link::check_private_file(file); checked.code() == Code::not_found) {
    // A write-ahead log that lies here belongs to a database that an administrator has moved away.
    std::error_code ignored;
    std::filesystem::remove(file.string() + "-wal", ignored);
    // An empty file is an empty database; SQLite would make one that others can read.
    if (Status made = link::write_private_file(file, ""); !made.ok()) return fail(std::move(made));
  } else if (!checked.ok()) {
    return fail(std::move(checked));
  }
  CertificateDatabase database(file);
  try {
    database.sql_ =
        std::make_unique<SQLite::Database>(file.string(), SQLite::OPEN_READWRITE, busy_timeout_ms);
    database.configure();
    if (Status status = database.check(); !status.ok()) return fail(std::move(status));
  } catch (const SQLite::Exception& error) {
    return fail(database.explain(error));
  }
  return database;
}

void CertificateDatabase::configure() {
  // Exclusive also means no shared-memory file, which a full disk would turn into a SIGBUS.
  sql_->exec(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -8192; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF");
  const std::string mode = sql_->execAndGet("PRAGMA journal_mode = WAL").getString();
  if (mode != "wal") throw SQLite::Exception("the write-ahead log cannot be used here", SQLITE_CANTOPEN);
  sql_->exec("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216");
}

Status CertificateDatabase::check() {
  const int version = pragma(*sql_, "PRAGMA user_version");
  const int application = pragma(*sql_, "PRAGMA application_id");
  if (version == 0 && application == 0 && pragma(*sql_, "SELECT count(*) FROM sqlite_schema") == 0) {
    sql_->exec(
        fmt::format("BEGIN IMMEDIATE; {}; PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT",
                    schema, application_id, certificate_schema));
    return {};
  }
  if (application != application_id) {
    return {Code::failed_precondition,
            fmt::format("{} is a database of another program, not a record of certificates: move it away and "
                        "start the broker again",
                        file_.string())};
  }
  if (version > certificate_schema) {
    return {Code::failed_precondition,
            fmt::format("{} was written by a newer release (schema {}, this one knows {}): run that release, "
                        "or give this broker another --state folder",
                        file_.string(), version, certificate_schema)};
  }
  const std::string verdict = sql_->execAndGet("PRAGMA quick_check(1)").getString();
  return verdict == "ok" ? Status() : damaged(verdict);
}

Status CertificateDatabase::damaged(const std::string& how) const {
  return {Code::failed_precondition,
          fmt::format("{} is damaged ({}): put a copy in its place, or move it away and start the broker "
                      "again; what it issued stays good, and can be revoked by its key only",
                      file_.string(), how)};
}

Status CertificateDatabase::explain(const SQLite::Exception& error) const {
  const int system_error = sql_ ? sqlite3_system_errno(sql_->getHandle()) : 0;
  const int code = error.getErrorCode() & 0xff;
  if (code == SQLITE_FULL || (code == SQLITE_IOERR && (system_error == ENOSPC || system_error == EDQUOT))) {
    return {Code::resource_exhausted,
            fmt::format("the broker cannot write to {}: disk full: make room and try again", file_.string())};
  }
  if (code == SQLITE_NOMEM)
    return {Code::resource_exhausted, fmt::format("the broker cannot use {}: out of memory", file_.string())};
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) return damaged(error.what());
  if (code == SQLITE_BUSY) {
    return {Code::unavailable,
            fmt::format("{} is open in another program: close that and try again", file_.string())};
  }
  return {Code::unavailable,
          fmt::format("the broker cannot use {}: {}{}{}: try again", file_.string(), error.what(),
                      system_error == 0 ? "" : ": ", system_error == 0 ? "" : std::strerror(system_error))};
}

}  // namespace cobus::broker
