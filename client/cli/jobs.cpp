// SPDX-License-Identifier: Apache-2.0
//
// cobus jobs, cobus job ID: what the ledgers of all nodes hold.
#include <fmt/format.h>

#include <filesystem>

#include "client/cli/catalog.hpp"
#include "client/cli/job_client.hpp"
#include "client/cli/job_json.hpp"
#include "client/cli/job_wait.hpp"
#include "client/cli/known_homes.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"

namespace cobus::client {
namespace {

constexpr std::int64_t limit_default = 50;

// A folder that was given behind the verb, where --state is the filter, is the state folder all the same.
bool is_folder(const std::string& value) {
  std::error_code error;
  return value.find('/') != std::string::npos ||
         (!parse_state(value) && std::filesystem::is_directory(value, error));
}

struct JobsVerb {
  Context* context;
  View* view;
  v1::ListJobsRequest request;
};

Result<v1::ListJobsRequest> request_of(const Arguments& arguments) {
  v1::ListJobsRequest request;
  for (const std::string& states : arguments.list("state")) {
    if (is_folder(states)) continue;
    for (std::size_t from = 0, to = 0; to != std::string::npos; from = to + 1) {
      to = states.find(',', from);
      const auto state =
          parse_state(std::string_view(states).substr(from, to == std::string::npos ? to : to - from));
      if (!state) {
        return fail(state.error().code(),
                    state.error().message() +
                        "; if you meant a state folder, write it before the verb: cobus --state DIR jobs");
      }
      request.add_states(*state);
    }
  }
  for (const auto& [key, value] : arguments.pairs("label")) (*request.mutable_labels())[key] = value;
  if (const auto since = arguments.duration("since")) {
    request.set_since_us(system_clock().unix_us() -
                         std::chrono::duration_cast<std::chrono::microseconds>(*since).count());
  }
  request.set_limit(static_cast<std::uint32_t>(arguments.number("limit").value_or(limit_default)));
  return request;
}

Task<int> list_jobs(Self self, JobsVerb* verb) {
  Context& context = *verb->context;
  if (const std::string& method = context.arguments.text("method"); !method.empty()) {
    // A tail is made whole where that is clear; jobs of methods that nobody offers any more are found by the
    // whole name.
    const auto fitting = matching_methods(verb->view->nodes(), method);
    if (fitting.size() > 1)
      co_return fail_name(context,
                          {Code::invalid_argument,
                           "--method: '" + method + "' fits several methods; write one of them in full"});
    if (fitting.empty() && method.find('/') == std::string::npos) {
      co_return fail_name(
          context, {Code::not_found, "--method: no node offers '" + method + "'; see: cobus services"});
    }
    verb->request.set_method(fitting.empty() ? method : *fitting.begin());
  }
  if (verb->view->providers("cobus.v1.Jobs").empty()) {
    co_return fail_setup(context,
                         {Code::unavailable, "no node that keeps jobs is up; start one with: cobus-node"});
  }
  JobClient jobs(*verb->view, context.console);
  const auto listing = co_await jobs.list(self, verb->request);
  ListOutput output(context.console, format_of(context), job_columns(system_clock().unix_us()), "id");
  for (const v1::Job& job : listing.jobs) output.add(listed_job_json(job));
  output.finish();
  if (listing.cut)
    context.console.note(
        fmt::format("the list ends after {} jobs; for more: --limit N", verb->request.limit()));
  for (const std::string& node : listing.not_asked)
    context.console.error("the list lacks the jobs of " + node);
  for (const std::string& node : homes_away(context, *verb->view))
    context.console.note("the list lacks the jobs of " + node + ", which is away; see: cobus nodes");
  co_return listing.not_asked.empty() ? 0 : setup_exit_code({Code::unavailable, ""});
}

Task<int> show_job(Self self, JobsVerb* verb) {
  Context& context = *verb->context;
  JobClient jobs(*verb->view, context.console);
  const auto job = co_await jobs.find(self, context.arguments.text("ID"), homes_away(context, *verb->view));
  if (!job) co_return fail_name(context, job.error());
  Catalog catalog(*verb->view);
  if (job->state() == v1::SUCCEEDED) static_cast<void>(co_await catalog.load_method(self, job->method()));
  const Decoded result = co_await job_result(self, catalog, *job);
  const Json object = job_json(*job, result.json);
  print_object(context.console, format_of(context), object, "id", job_fields(object));
  co_return result.problem.ok() ? 0 : tell_failure(context, *job, result.problem);
}

int run_jobs(Context& given) {
  Arguments globals = given.globals;
  for (const std::string& value : given.arguments.list("state")) {
    if (is_folder(value)) globals.set("state", {value});
  }
  Context context{given.arguments, globals, given.console, given.interrupts};
  auto request = request_of(context.arguments);
  if (!request) return fail_setup(context, request.error());
  JobsVerb verb{&context, nullptr, std::move(*request)};
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  return run_verb(context, **session, {}, &list_jobs, &verb);
}

int run_job(Context& context) {
  JobsVerb verb{&context, nullptr, {}};
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  return run_verb(context, **session, {}, &show_job, &verb);
}

}  // namespace

Command jobs_command() {
  using Kind = Flag::Kind;
  return {"jobs",
          "list jobs, the newest first",
          "States: blocked scheduled ready running retrying succeeded failed cancelled expired. Results are "
          "not listed:\n"
          "see cobus result ID.",
          {},
          {{"state", "", Kind::text, "STATE[,STATE]|DIR",
            "only those in one of these states; or the folder, as before the verb"},
           {"method", "", Kind::text, "METHOD", "only those of this method"},
           {"label", "", Kind::pair, "KEY=VALUE", "only those with this label; may be repeated"},
           {"since", "", Kind::duration, "DURATION", "only those submitted since then, 10m ago say"},
           {"limit", "", Kind::number, "N", "at most so many (50)", 1, 10'000}},
          {{"cobus jobs --state running,ready", "what goes on"},
           {"cobus jobs --since 1h --state failed -o id", "ids, for other commands"}},
          &run_jobs};
}

Command job_command() {
  return {"job",   "show one job",
          "",      {{"ID", "the job's id, or the beginning of it"}},
          {},      {{"cobus job 01k2", ""}, {"cobus job 01k2 -o json", "for scripts"}},
          &run_job};
}

}  // namespace cobus::client
