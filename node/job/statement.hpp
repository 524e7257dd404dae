// SPDX-License-Identifier: Apache-2.0
//
// Execution: one run of a prepared statement: binds its parameters in order, steps through its rows,
// and makes it ready for the next run when it goes, also when SQLite threw. Parameters are not
// copied: they must live as long as the execution. One thread.
#pragma once

#include <SQLiteCpp/Statement.h>

#include <concepts>
#include <string>
#include <string_view>

namespace cobus::job {

// Marks bytes that are stored as a BLOB.
struct Blob {
  std::string_view bytes;
};

class Execution {
 public:
  template <class... Parameters>
  explicit Execution(SQLite::Statement& statement, const Parameters&... parameters) : statement_(statement) {
    int index = 0;
    (bind(++index, parameters), ...);
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;
  ~Execution() { statement_.tryReset(); }

  // Goes to the next row; false when there is none. A statement that writes has done so after the first.
  bool step() { return statement_.executeStep(); }

  [[nodiscard]] std::int64_t integer(int column) const { return statement_.getColumn(column).getInt64(); }
  [[nodiscard]] std::uint32_t small(int column) const { return statement_.getColumn(column).getUInt(); }
  [[nodiscard]] std::string text(int column) const { return statement_.getColumn(column).getString(); }
  [[nodiscard]] SQLite::Statement& statement() const noexcept { return statement_; }

 private:
  void bind(int index, std::integral auto value) { statement_.bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, const std::string& text) { statement_.bindNoCopy(index, text); }
  void bind(int index, Blob blob) {
    statement_.bindNoCopy(index,
                          blob.bytes.data() == nullptr ? "" : static_cast<const void*>(blob.bytes.data()),
                          static_cast<int>(blob.bytes.size()));
  }

  SQLite::Statement& statement_;
};

}  // namespace cobus::job
