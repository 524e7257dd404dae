// SPDX-License-Identifier: Apache-2.0
//
// Options: what a daemon can be told, in one table: flags, environment (COBUS_NAME), configuration file
// and --print-config all come from it. Flag > environment > file > default. Used at start, one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proto/status.hpp"

namespace cobus {

struct OptionSpec {
  enum class Kind : std::uint8_t { text, number, list, flag };
  std::string name;  // "metrics-addr": the flag is --metrics-addr, the file's key the same
  Kind kind = Kind::text;
  std::string fallback;    // default, as text
  std::string help;        // one line, with the unit
  std::int64_t least = 0;  // bounds of a number
  std::int64_t most = 0;
  std::vector<std::string> choices;  // of a text; empty = any
};

// The variable of the environment that sets it: COBUS_METRICS_ADDR.
[[nodiscard]] std::string variable_of(const OptionSpec& spec);

// The values of a table after parsing; every option has one.
class OptionValues {
 public:
  OptionValues() = default;
  OptionValues(const OptionValues&) = default;
  OptionValues& operator=(const OptionValues&) = default;
  OptionValues(OptionValues&&) = default;
  OptionValues& operator=(OptionValues&&) = default;
  // Overwrites them: some are secrets.
  ~OptionValues();

  [[nodiscard]] const std::string& text(std::string_view name) const;
  [[nodiscard]] std::int64_t number(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& list(std::string_view name) const;
  // Where the value of this option comes from, a file or "the environment variable NAME"; empty if it is the
  // default.
  [[nodiscard]] const std::string& source(std::string_view name) const;
  // TOML that sets every option to its present value, with its help as a comment.
  [[nodiscard]] std::string to_toml(const std::vector<OptionSpec>& table) const;

 private:
  friend class OptionParser;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> sources_;
};

struct ParsedOptions {
  OptionValues values;
  // Set when there is nothing to run: --help, --version, --print-config, --check-config. Text for stdout.
  bool finished = false;
  bool check = false;  // of these, --check-config: the program looks at the values before it prints this
  std::string output;
};

// INVALID_ARGUMENT naming the flag, variable or file and key that is wrong, with the bounds or choices.
// Adds --config FILE, --check-config, --print-config, --version and --help to the table.
[[nodiscard]] Result<ParsedOptions> parse_options(const std::string& program, const std::string& summary,
                                                  const std::vector<OptionSpec>& table, int argc,
                                                  const char* const* argv);

// The values of a table for a program that has flags of its own: from the `files` that are there, a later one
// before an earlier one, and from the environment, where an empty variable says nothing. INVALID_ARGUMENT as
// above.
[[nodiscard]] Result<OptionValues> read_options(const std::vector<OptionSpec>& table,
                                                const std::vector<std::string>& files);

}  // namespace cobus
