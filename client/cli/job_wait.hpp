// SPDX-License-Identifier: Apache-2.0
//
// Waiting for a job where somebody looks: the status line while it runs, and what is printed at its end.
#pragma once

#include <string>

#include "client/cli/catalog.hpp"
#include "client/cli/command.hpp"
#include "client/cli/job_client.hpp"

namespace cobus::client {

// Waits until the job is over, also over an absence of its home. With `tell`, each new state and each note
// is a line on stderr. When it is stopped first, it says how to come back.
[[nodiscard]] Task<Result<v1::Job>> watch_job(Self self, Context* context, JobClient* jobs, std::string id,
                                              std::string home, bool tell);

// That a job goes on though nobody waits for it here any more, and how to come back.
[[nodiscard]] std::string detached_text(const std::string& id);

// Prints the result, or with -o the whole job; says on stderr why there is none. Gives the exit code.
[[nodiscard]] int print_end(Context& context, const Catalog& catalog, const v1::Job& job);

// The lines that --follow prints: nothing when what there is to say was said before.
class JobNarrator {
 public:
  [[nodiscard]] std::string next(const v1::Job& job);

 private:
  std::string said_;
};

}  // namespace cobus::client
