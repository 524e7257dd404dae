// SPDX-License-Identifier: Apache-2.0
//
// LedgerDatabase: the one connection to a ledger's SQLite file, opened, checked and with its tables
// made, and what SQLite's errors mean to somebody who submits a job.
// There is exactly one connection for each file, held exclusively: releases of SQLite before 3.51.3 can
// damage a write-ahead log that several connections check-point. Used on one thread at a time.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>

#include <filesystem>
#include <memory>

#include "node/job/ledger_file.hpp"

namespace cobus::job {

// The schema of this release. A file with a larger one is refused.
inline constexpr int ledger_schema = 2;

class LedgerDatabase {
 public:
  // Everything LedgerFile::acquire answers, and FAILED_PRECONDITION for a file of a newer release or of
  // another program, DATA_LOSS for a damaged one, RESOURCE_EXHAUSTED on a full disk.
  [[nodiscard]] static Result<LedgerDatabase> open(const std::filesystem::path& file);

  [[nodiscard]] SQLite::Database& sql() noexcept { return *sql_; }
  [[nodiscard]] const LedgerFile& file() const noexcept { return file_; }

  // What to tell whoever waits for the operation that ended in `error`. Call before anything else is
  // done with the connection.
  [[nodiscard]] Status explain(const SQLite::Exception& error) const;

  // Whether `error` is about the one operation, so that others may go on.
  [[nodiscard]] static bool concerns_one_operation(const SQLite::Exception& error) noexcept;

 private:
  explicit LedgerDatabase(LedgerFile file) noexcept : file_(std::move(file)) {}
  void configure();
  [[nodiscard]] Status check();
  void make_tables();
  void upgrade();

  LedgerFile file_;  // before sql_: the lock is released last
  std::unique_ptr<SQLite::Database> sql_;
};

}  // namespace cobus::job
