// SPDX-License-Identifier: Apache-2.0
//
// CertificateDatabase: the one connection to the SQLite file of a broker's record of certificates, opened,
// checked and with its table made, and SQLite's errors in words for the operator of the broker.
// There is exactly one connection for each file, held exclusively: releases of SQLite before 3.51.3 can
// damage a write-ahead log that several connections check-point. Another broker is kept out by the lock of
// the folder. One thread at a time.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>

#include <filesystem>
#include <memory>

#include "proto/status.hpp"

namespace cobus::broker {

// The schema of this release. A file with a larger one is refused.
inline constexpr int certificate_schema = 1;

class CertificateDatabase {
 public:
  // Makes the file, mode 0600, when there is none; its folder must exist. PERMISSION_DENIED when others can
  // read it; FAILED_PRECONDITION when it is damaged, of a newer release, or no record of certificates;
  // RESOURCE_EXHAUSTED on a full disk; UNAVAILABLE for other I/O errors. Each names the file and the next
  // step.
  [[nodiscard]] static Result<CertificateDatabase> open(const std::filesystem::path& file);

  [[nodiscard]] SQLite::Database& sql() noexcept { return *sql_; }
  // The status that the caller of a failed operation gets for `error`. Call before anything else is done
  // with the connection.
  [[nodiscard]] Status explain(const SQLite::Exception& error) const;

 private:
  explicit CertificateDatabase(std::filesystem::path file) noexcept : file_(std::move(file)) {}
  void configure();
  [[nodiscard]] Status check();
  [[nodiscard]] Status damaged(const std::string& how) const;

  std::filesystem::path file_;
  std::unique_ptr<SQLite::Database> sql_;
};

}  // namespace cobus::broker
