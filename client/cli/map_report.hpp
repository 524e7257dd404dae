// SPDX-License-Identifier: Apache-2.0
//
// MapReport: what became of the requests of a map: prints results as they come or in the order of the
// input, writes the joblog, counts. One thread; knows no cluster.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "client/cli/joblog.hpp"
#include "client/cli/output.hpp"
#include "client/cli/progress.hpp"

namespace cobus::client {

// One request that is over.
struct MapOutcome {
  std::uint64_t sequence = 0;
  std::optional<std::string> file;  // of --files
  std::string request;              // the JSON, without --files
  std::string place;                // of the line in the input, if it is one
  std::string job;                  // id; empty without a ledger
  std::string node;
  std::string state = "failed";
  std::uint32_t attempt = 0;
  Json result;   // with an error: what of an answer could be shown; else null
  Status error;  // ok: it succeeded
  int exit = 0;
  double start_s = 0;
  double runtime_s = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::string command;  // for the joblog
};

[[nodiscard]] Json outcome_json(const MapOutcome& outcome);

class MapReport {
 public:
  // Without `asked` only results are printed, one a line. `joblog` may be null.
  MapReport(Console& console, std::optional<Format> asked, bool keep_order, JoblogWriter* joblog);

  void begin(std::uint64_t sequence);
  // Prints it, or keeps it until those before it are printed.
  void end(MapOutcome outcome);
  // It will have no outcome: whoever asked for it gave up.
  void abandon(std::uint64_t sequence);
  // Prints what still waits for one before it, and the last line of the output, where the format has one.
  void finish();

  // Outcomes that wait for one before them.
  [[nodiscard]] std::size_t kept_back() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::uint64_t done() const noexcept { return done_; }  // failed ones included
  [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }
  [[nodiscard]] std::uint64_t running() const noexcept { return running_; }
  [[nodiscard]] std::uint64_t abandoned() const noexcept { return abandoned_; }
  // What all of the requests exited with; nothing when they differ, or there were none.
  [[nodiscard]] std::optional<int> exit_of_all() const noexcept { return exit_of_all_; }
  // The joblog could not be written.
  [[nodiscard]] const Status& status() const noexcept { return status_; }

 private:
  void print(const MapOutcome& outcome);
  void print_waiting();

  Console& console_;
  const std::optional<Format> asked_;
  const bool keep_order_;
  bool aligned_;  // each line of the output stands for the request of the same line
  JoblogWriter* const joblog_;
  ListOutput list_;
  std::deque<std::uint64_t> order_;  // begun and not printed; only to keep the order
  std::map<std::uint64_t, std::optional<MapOutcome>>
      waiting_;  // over, but one before it is not; nothing: abandoned
  std::uint64_t done_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t running_ = 0;
  std::uint64_t abandoned_ = 0;
  std::optional<int> exit_of_all_;
  Status status_;
};

}  // namespace cobus::client
