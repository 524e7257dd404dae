// SPDX-License-Identifier: Apache-2.0
#include "client/cli/job_wait.hpp"

#include <fmt/format.h>

#include "client/cli/job_json.hpp"
#include "client/cli/options.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/status_line.hpp"

namespace cobus::client {

std::string JobNarrator::next(const v1::Job& job) {
  std::string text = fmt::format("job {} is {}", job.id(), state_name(job.state()));
  if (job.state() == v1::RUNNING) {
    text += fmt::format(" on {}, attempt {}", job.node(), job.attempt());
    if (job.has_progress() && job.progress().fraction() >= 0) {
      text += fmt::format(", {:.0f}%", job.progress().fraction() * 100);
    }
    if (!job.progress().note().empty()) text += ", " + job.progress().note();
  } else if (!job.wait_reason().empty()) {
    text += ": " + job.wait_reason();
  }
  text = printable(text);
  if (text == said_) return {};
  said_ = text;
  return text;
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
    if (!tell) return;
    if (const std::string line = narrator.next(job); !line.empty()) console.note(line);
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

int print_end(Context& context, const Catalog& catalog, const v1::Job& job) {
  const Status status = job_status(job);
  const Json result = status.ok() ? catalog.decoded_result(job.method(), job.result()) : Json();
  if (const auto asked = asked_format(context)) {
    const Json object = job_json(job, result);
    print_object(context.console, *asked, object, "id", job_fields(object));
  } else if (status.ok()) {
    print_value(context.console, format_of(context), result);
  }
  if (!status.ok()) {
    const bool final = job.state() == v1::FAILED && job.attempt() < job.attempts_max();
    const std::string why = final ? fmt::format("; {} is not tried again", code_name(status.code())) : "";
    context.console.error(fmt::format("job {} ({}) is {} after attempt {} of {}: {}{}", job.id(),
                                      job.method(), state_name(job.state()), job.attempt(),
                                      job.attempts_max(), printable(status.to_string()), why));
  }
  return job_exit_code(job);
}

}  // namespace cobus::client
