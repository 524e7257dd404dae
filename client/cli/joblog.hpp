// SPDX-License-Identifier: Apache-2.0
//
// Joblog: the record of a map, one line a finished request, in the columns of GNU parallel with the job's id
// and attempt after them. Its header ends with the run, so that what goes on can be found again. It is what
// --resume and --retry-failed go by. The reader takes a line that was cut off by a crash for a request that
// did not finish.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "proto/status.hpp"

namespace cobus::client {

struct JoblogEntry {
  std::uint64_t sequence = 0;  // of the request in the input, from 1
  std::string host;            // the node that ran it
  double start_s = 0;          // Unix seconds
  double runtime_s = 0;
  std::uint64_t sent = 0;  // payload bytes
  std::uint64_t received = 0;
  int exit = 0;         // what submit --wait would have exited with
  std::string command;  // method and request, as request_command() writes them
  std::string job;
  std::uint32_t attempt = 0;
};

// One line without its end; tabs, line ends and backslashes in texts are escaped.
[[nodiscard]] std::string joblog_line(const JoblogEntry& entry);
[[nodiscard]] std::string joblog_header(const std::string& run);
// INVALID_ARGUMENT naming the column that is wrong.
[[nodiscard]] Result<JoblogEntry> parse_joblog_line(std::string_view line);

struct Joblog {
  std::string run;                               // empty if it does not say
  std::map<std::uint64_t, JoblogEntry> entries;  // the last one of each request
};
// NOT_FOUND when there is no such file, INVALID_ARGUMENT naming the line
// that is no line of a joblog.
[[nodiscard]] Result<Joblog> read_joblog(const std::string& path);

class JoblogWriter {
 public:
  // Begins a new log, or goes on with the one that is there. UNAVAILABLE with the system's reason.
  [[nodiscard]] static Result<std::unique_ptr<JoblogWriter>> open(const std::string& path, bool go_on,
                                                                  const std::string& run);
  ~JoblogWriter();
  JoblogWriter(const JoblogWriter&) = delete;
  JoblogWriter& operator=(const JoblogWriter&) = delete;
  // In the file when it returns ok. UNAVAILABLE with the system's reason otherwise.
  [[nodiscard]] Status add(const JoblogEntry& entry);

 private:
  JoblogWriter(std::FILE* file, std::string path) : file_(file), path_(std::move(path)) {}
  std::FILE* file_;
  std::string path_;
};

}  // namespace cobus::client
