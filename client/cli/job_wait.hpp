// SPDX-License-Identifier: Apache-2.0
//
// Waiting for a job where somebody looks: the status line while it runs, and what is printed at its end.
#pragma once

#include <string>

#include "client/cli/catalog.hpp"
#include "client/cli/command.hpp"
#include "client/cli/job_client.hpp"

namespace cobus::client {

// Waits until the job is over, also over an absence of its home. With `tell`, each new state, and progress
// now and then, is a line on stderr unless the status line shows it. When it is stopped first, it says how to
// come back.
[[nodiscard]] Task<Result<v1::Job>> watch_job(Self self, Context* context, JobClient* jobs, std::string id,
                                              std::string home, bool tell);

// That a job goes on though nobody waits for it here any more, and how to come back.
[[nodiscard]] std::string detached_text(const std::string& id);

// Its result; null unless it succeeded.
[[nodiscard]] Task<Decoded> job_result(Self self, Catalog& catalog, v1::Job job);

// Says on stderr why a job that is over has no result, or none that is shown whole. Gives the exit code.
[[nodiscard]] int tell_failure(Context& context, const v1::Job& job, const Status& problem);

// Prints the result, or with -o the whole job; says on stderr as tell_failure(). Gives the exit code.
[[nodiscard]] Task<int> print_end(Self self, Context& context, Catalog& catalog, v1::Job job);

// The lines that --follow prints: one for each change of state or attempt, and progress now and then, since a
// worker may report it hundreds of times a second.
class JobNarrator {
 public:
  // Empty when there is nothing to say now.
  [[nodiscard]] std::string next(const v1::Job& job, TimePoint now);

 private:
  std::string state_;  // as said last
  std::string said_;
  double fraction_ = 0;
  TimePoint said_at_{};
};

}  // namespace cobus::client
