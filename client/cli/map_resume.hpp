// SPDX-License-Identifier: Apache-2.0
//
// MapResume: what the joblog of an earlier run says of the requests of this one. A number alone says nothing:
// a request is done only if the joblog has the same request under its number. One thread; knows no cluster.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "client/cli/joblog.hpp"
#include "client/cli/map_options.hpp"

namespace cobus::client {

class MapResume {
 public:
  using Entries = std::map<std::uint64_t, JoblogEntry>;

  void load(Entries entries) { entries_ = std::move(entries); }
  [[nodiscard]] const Entries& entries() const noexcept { return entries_; }
  // The highest number that it has; 0 when it is empty.
  [[nodiscard]] std::uint64_t last() const noexcept {
    return entries_.empty() ? 0 : entries_.rbegin()->first;
  }

  // Whether nothing is left to do for `input`, as --resume and --retry-failed in `options` mean it; then it
  // is counted below; if not, `input` names the job that failed. INVALID_ARGUMENT when the joblog is of
  // another method or has another request under its number.
  [[nodiscard]] Result<bool> passes_over(const MapOptions& options, MapInput& input);

  // Of the requests that were passed over.
  [[nodiscard]] std::uint64_t done() const noexcept { return done_; }
  [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }

 private:
  Entries entries_;
  std::uint64_t done_ = 0;  // failed ones included
  std::uint64_t failed_ = 0;
};

}  // namespace cobus::client
