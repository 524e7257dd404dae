// SPDX-License-Identifier: Apache-2.0
//
// cobus wait ID..., cobus result ID: the results of jobs, when they are over and now.
#include <fmt/format.h>

#include <deque>

#include "client/cli/catalog.hpp"
#include "client/cli/caught.hpp"
#include "client/cli/job_json.hpp"
#include "client/cli/job_wait.hpp"
#include "client/cli/known_homes.hpp"
#include "client/cli/options.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/run.hpp"
#include "client/cli/status_line.hpp"
#include "node/runtime/scope.hpp"
#include "node/runtime/signal.hpp"

namespace cobus::client {
namespace {

constexpr int exit_not_yet = 75;

struct WaitVerb {
  Context* context;
  View* view;
};

// One of several jobs that are waited for.
struct Waited {
  std::string id;
  std::optional<Result<v1::Job>> end;
};

Task<> watch_one(Self self, Context* context, JobClient* jobs, v1::Job job, bool alone, Waited* waited,
                 Signal* ended) {
  if (is_final(job.state())) {
    waited->end.emplace(std::move(job));
  } else if (alone) {
    auto end = co_await caught(watch_job(self, context, jobs, job.id(), job.home(), false));
    waited->end.emplace(end ? std::move(*end) : fail(end.error()));
  } else {
    auto end = co_await caught(jobs->follow(self, job.id(), job.home(), true, {}));
    waited->end.emplace(end ? std::move(*end) : fail(end.error()));
    if (self.stop_requested()) context->console.note(detached_text(job.id()));
  }
  ended->notify();
}

std::string line_of(const std::deque<Waited>& all, TimePoint started, TimePoint now,
                    const StreamTraits& traits) {
  MapProgress progress;
  progress.total = all.size();
  for (const Waited& waited : all) ++(waited.end ? progress.done : progress.running);
  return map_line(progress, RateMeter(), started, now, traits);
}

// What became of jobs, as -o asks for several of them.
class Ends {
 public:
  // `several`: as one list, where the format has lists.
  Ends(Context& context, Catalog& catalog, bool several)
      : context_(context), catalog_(catalog), several_(several), asked_(asked_format(context)) {
    if (several && (asked_ == Format::json || asked_ == Format::yaml)) {
      list_.emplace(context.console, *asked_, std::vector<OutputColumn>(), "id");
    }
  }

  Task<> print(Self self, std::string id, Result<v1::Job> job) {
    int code = 0;
    if (!job) {
      code = fail_call(context_, "waiting for job " + id, job.error());
    } else if (list_) {
      Decoded result = co_await job_result(self, catalog_, *job);
      list_->add(job_json(*job, std::move(result.json)));
      code = tell_failure(context_, *job, result.problem);
    } else {
      const bool fields = asked_ == Format::table || asked_ == Format::wide;
      if (std::exchange(any_, true) && several_ && fields) context_.console.print("");
      code = co_await print_end(self, context_, catalog_, *job);
    }
    // A failure says more than a cancellation.
    if (worst_ == 0 || code == 1) worst_ = code == 0 ? worst_ : code;
  }

  // The end of the list. Gives the exit code.
  int finish() {
    if (list_) list_->finish();
    return worst_;
  }

 private:
  Context& context_;
  Catalog& catalog_;
  const bool several_;
  const std::optional<Format> asked_;
  std::optional<ListOutput> list_;
  bool any_ = false;
  int worst_ = 0;
};

// Prints each end in the order of the command line, or the first of all. When it is to stop, those that are
// there.
Task<int> print_ends(Self self, Context* context, Catalog* catalog, std::deque<Waited>* all, Signal* ended) {
  const bool any = context->arguments.has("any");
  Ends ends(*context, *catalog, all->size() > 1 && !any);
  const auto end_of = [](const Waited& waited) { return waited.end.has_value(); };
  for (Waited& next : *all) {
    Waited* waited = &next;
    while (!self.stop_requested()) {
      if (any) {
        const auto first = std::find_if(all->begin(), all->end(), end_of);
        if (first != all->end()) waited = &*first;
      }
      if (waited->end || !(co_await ended->wait()).ok()) break;
    }
    // What was stopped while it was waited for has said so.
    if (waited->end && (*waited->end || !self.stop_requested()))
      co_await ends.print(self, waited->id, *waited->end);
    if (any) break;
  }
  co_return ends.finish();
}

Task<int> wait_for_jobs(Self self, WaitVerb* verb) {
  Context& context = *verb->context;
  Catalog catalog(*verb->view);
  JobClient jobs(*verb->view, context.console);
  const std::vector<std::string> away = homes_away(context, *verb->view);
  std::vector<v1::Job> found;
  for (const std::string& id : context.arguments.list("ID")) {
    auto job = co_await jobs.find(self, id, away);
    if (!job) co_return fail_name(context, job.error());
    // Now, since whoever is asked to stop cannot ask for it any more.
    static_cast<void>(co_await catalog.load_method(self, job->method()));
    found.push_back(std::move(*job));
  }
  std::deque<Waited> all;
  Signal ended;
  Scope scope;
  for (v1::Job& job : found) {
    Waited& waited = all.emplace_back(Waited{job.id(), {}});
    scope.spawn(watch_one(self, &context, &jobs, std::move(job), found.size() == 1, &waited, &ended));
  }
  std::optional<StatusLine> line;
  if (all.size() > 1) {
    line.emplace(self, context.console, [&all, &context, started = system_clock().now()](TimePoint now) {
      return line_of(all, started, now, context.console.err());
    });
  }
  // Those that nobody waits for any more end with the scope; when all are to be stopped they say so first.
  const int code = co_await print_ends(self, &context, &catalog, &all, &ended);
  if (self.stop_requested()) static_cast<void>(co_await scope.join());
  co_return code;
}

Task<int> print_result(Self self, WaitVerb* verb) {
  Context& context = *verb->context;
  JobClient jobs(*verb->view, context.console);
  const auto job = co_await jobs.find(self, context.arguments.text("ID"), homes_away(context, *verb->view));
  if (!job) co_return fail_name(context, job.error());
  if (!is_final(job->state())) {
    context.console.error(fmt::format("job {} has no result yet: it is {}; to wait for it: cobus wait {}",
                                      job->id(), state_name(job->state()), job->id()));
    co_return exit_not_yet;
  }
  Catalog catalog(*verb->view);
  static_cast<void>(co_await catalog.load_method(self, job->method()));
  co_return co_await print_end(self, context, catalog, *job);
}

int run_wait(Context& context) {
  WaitVerb verb{&context, nullptr};
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  return run_verb(context, **session, context.arguments.duration("timeout"), &wait_for_jobs, &verb);
}

int run_result(Context& context) {
  WaitVerb verb{&context, nullptr};
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  return run_verb(context, **session, {}, &print_result, &verb);
}

}  // namespace

Command wait_command() {
  return {
      "wait",
      "wait for jobs and print their results",
      "Results come in the order of the ids. Exit code 1 if one failed, 3 if one was cancelled or expired.",
      {{"ID", "a job's id, or the beginning of it", true, true}},
      {{"any", "", Flag::Kind::toggle, "", "only for the first of them to end"},
       {"timeout", "", Flag::Kind::duration, "DURATION",
        "how long to wait; then exit code 124, the jobs go on", 1}},
      {{"cobus wait 01k2", "the beginning of the id is enough"},
       {"cobus wait $a $b --any --timeout 10m", "whichever is first"}},
      &run_wait};
}

Command result_command() {
  return {"result",
          "print the result of a job that is over",
          "Exit code 75 while the job is not over; 1 if it failed, 3 if it was cancelled or expired.",
          {{"ID", "the job's id, or the beginning of it"}},
          {},
          {{"cobus result 01k2", ""}, {"cobus result 01k2 -o json", "the whole job"}},
          &run_result};
}

}  // namespace cobus::client
