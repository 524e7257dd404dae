// SPDX-License-Identifier: Apache-2.0
//
// MapOptions: what the flags of cobus map say, checked against one another before anything is asked of the
// cluster, and how a request is written into the joblog so that --retry-failed can read it again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/arguments.hpp"
#include "node/runtime/clock.hpp"
#include "proto/status.hpp"

namespace cobus::client {

// One request of a map before it is read: a line of JSON, or a file whose text goes into a field.
struct MapInput {
  std::uint64_t sequence = 0;  // from 1
  bool file = false;
  std::string text;             // the JSON, or the path
  Status unusable;              // set when it could not even be taken from the input
  std::uint64_t line = 0;       // of the input, blank ones counted; 0: not known
  std::string failed_job = {};  // of an earlier run, which this is to be tried again for
};

struct Halt {
  bool now = false;         // ends what runs, rather than only starting nothing more
  std::uint64_t fails = 0;  // after so many failures; 0: never
};

struct MapOptions {
  std::string method;
  std::string input = "-";  // file of JSON lines, "-" for stdin; unused with files
  std::string field;        // of --files
  std::vector<std::string> files;
  std::uint64_t parallel = 16;
  bool keep_order = false;
  bool bar = false;
  bool ledger = true;
  std::string joblog;
  bool resume = false;
  bool retry_failed = false;
  Halt halt;
  std::optional<Duration> timeout;  // of one request
};

// INVALID_ARGUMENT naming the flags that contradict one another. `stdin_terminal`: nobody pipes anything.
[[nodiscard]] Result<MapOptions> map_options(const Arguments& arguments, bool stdin_terminal);

// "now,fail=3", "soon,fail=1", "never".
[[nodiscard]] Result<Halt> parse_halt(const std::string& text);

// Where a line of the input stands, "ranges.jsonl:3"; empty for a file and when it is not known.
[[nodiscard]] std::string place_of(const MapOptions& options, const MapInput& input);

// "METHOD JSON" or "METHOD --files FIELD PATH".
[[nodiscard]] std::string request_command(const MapOptions& options, const MapInput& input);
// The inverse. INVALID_ARGUMENT when it is the command of another method or field.
[[nodiscard]] Result<MapInput> parse_request_command(const MapOptions& options, const std::string& command);

}  // namespace cobus::client
