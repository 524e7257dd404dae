// SPDX-License-Identifier: Apache-2.0
#include "client/cli/job_wait.hpp"

#include <fmt/format.h>

#include "client/cli/job_json.hpp"
#include "client/cli/options.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/run.hpp"
#include "client/cli/status_line.hpp"

namespace cobus::client {
namespace {

// Between two lines of progress: so much of the whole, or so long.
constexpr double told_fraction = 0.05;
constexpr Duration told_interval = std::chrono::seconds(10);

}  // namespace

std::string JobNarrator::next(const v1::Job& job, TimePoint now) {
  std::string state = fmt::format("job {} is {}", job.id(), state_name(job.state()));
  std::string progress;
  double fraction = 0;
  if (job.state() == v1::RUNNING) {
    // Its node is known a moment later than that it runs.
    if (job.node().empty()) return {};
    state += fmt::format(" on {}, attempt {}", job.node(), job.attempt());
    if (job.has_progress() && job.progress().fraction() >= 0) {
      fraction = job.progress().fraction();
      progress = fmt::format(", {:.0f}%", fraction * 100);
    }
    if (!job.progress().note().empty()) progress += ", " + job.progress().note();
  } else if (!job.wait_reason().empty()) {
    state += ": " + job.wait_reason();
  }
  std::string text = printable(state + progress);
  const bool due = fraction - fraction_ >= told_fraction || now - said_at_ >= told_interval;
  if (text == said_ || (state == state_ && !due)) return {};
  state_ = std::move(state);
  said_ = std::move(text);
  fraction_ = fraction;
  said_at_ = now;
  return said_;
}

std::string detached_text(const std::string& id) {
  return fmt::format("job {} goes on; come back to it with: cobus wait {}", id, id);
}

Task<Result<v1::Job>> watch_job(Self self, Context* context, JobClient* jobs, std::string id,
                                std::string home, bool tell) {
  Console& console = context->console;
  CallProgress progress(system_clock().now());
  JobNarrator narrator;
  const auto on_job = [&progress, &narrator, &console, tell](const v1::Job& job) {
    if (job.has_progress() && job.state() == v1::RUNNING) {
      progress.update(job.progress().fraction(), job.progress().note(), system_clock().now());
    } else {
      progress.waits_for(job.state() == v1::RUNNING ? "" : printable(job.wait_reason()));
    }
    if (!tell || console.err().moves) return;
    if (const std::string line = narrator.next(job, system_clock().now()); !line.empty()) console.note(line);
  };
  StatusLine line(self, console,
                  [&progress, &console](TimePoint now) { return progress.line(now, console.err()); });
  Result<v1::Job> job = co_await jobs->follow(self, id, std::move(home), true, on_job);
  line.end();
  if (!job && self.stop_requested()) {
    console.note(detached_text(id));
  }
  co_return job;
}

Task<Decoded> job_result(Self self, Catalog& catalog, v1::Job job) {
  if (job.state() != v1::SUCCEEDED) co_return Decoded{};
  co_return co_await catalog.decode_result(self, job.method(), std::move(*job.mutable_result()), job.node());
}

int tell_failure(Context& context, const v1::Job& job, const Status& problem) {
  if (const Status status = job_status(job); !status.ok()) {
    const bool final = job.state() == v1::FAILED && job.attempt() < job.attempts_max();
    const std::string why = final ? fmt::format("; {} is not tried again", code_name(status.code())) : "";
    context.console.error(fmt::format("job {} ({}) is {} after attempt {} of {}: {}{}", job.id(),
                                      job.method(), state_name(job.state()), job.attempt(),
                                      job.attempts_max(), printable(status.to_string()), why));
  }
  if (problem.ok()) return job_exit_code(job);
  return fail_call(context, fmt::format("showing the result of job {} ({})", job.id(), job.method()),
                   problem);
}

Task<int> print_end(Self self, Context& context, Catalog& catalog, v1::Job job) {
  const Decoded result = co_await job_result(self, catalog, job);
  if (const auto asked = asked_format(context)) {
    const Json object = job_json(job, result.json);
    print_object(context.console, *asked, object, "id", job_fields(object));
  } else if (job.state() == v1::SUCCEEDED) {
    print_value(context.console, format_of(context), result.json);
  }
  co_return tell_failure(context, job, result.problem);
}

}  // namespace cobus::client
