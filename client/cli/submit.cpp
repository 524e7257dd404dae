// SPDX-License-Identifier: Apache-2.0
//
// cobus submit METHOD [JSON|@FILE|-]: a durable job. Prints its id, or with --wait its result.
#include <fmt/format.h>

#include "client/cli/catalog.hpp"
#include "client/cli/job_wait.hpp"
#include "client/cli/known_homes.hpp"
#include "client/cli/options.hpp"
#include "client/cli/request_input.hpp"
#include "client/cli/run.hpp"
#include "client/cli/status_line.hpp"

namespace cobus::client {
namespace {

constexpr int exit_nothing_can_run_it = 4;

struct SubmitVerb {
  Context* context;
  View* view;
  std::string json;
  bool wait;
};

v1::SubmitRequest request_of(const Arguments& arguments, const std::string& method, std::string payload) {
  v1::SubmitRequest request;
  request.set_method(method);
  request.set_payload(std::move(payload));
  request.set_key(arguments.text("key"));
  request.set_attempts_max(static_cast<std::uint32_t>(arguments.number("attempts").value_or(0)));
  if (const auto timeout = arguments.duration("attempt-timeout")) {
    request.set_timeout_us(
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(*timeout).count()));
  }
  for (const auto& [key, value] : arguments.pairs("label")) (*request.mutable_labels())[key] = value;
  return request;
}

void print_id(Context& context, const JobClient::Submitted& submitted, const std::string& method) {
  const bool quiet = context.arguments.has("quiet");
  const auto asked = asked_format(context).value_or(Format::id);
  if (asked == Format::id || asked == Format::table || asked == Format::wide) {
    context.console.print(submitted.id);
  } else {
    const Json object = {
        {"id", submitted.id}, {"method", method}, {"home", submitted.home}, {"existed", submitted.existed}};
    print_object(context.console, asked, object, "id", {});
  }
  if (submitted.existed && !quiet) context.console.note("this key was submitted before: that job it is");
}

// The method, also one that only nodes offer which went down just now: its jobs wait for them.
Task<Result<const google::protobuf::MethodDescriptor*>> find_method(Self self, SubmitVerb* verb,
                                                                    Catalog* catalog) {
  Context& context = *verb->context;
  const std::string& name = context.arguments.text("METHOD");
  const auto away = catalog->away(name);
  if (!away) co_return co_await catalog->find_method(self, name);
  const std::string why = fmt::format("no node that is up offers {}: node {}, which does, is down or away",
                                      away->name, away->node);
  if (context.arguments.has("require-worker")) co_return fail(Code::unavailable, why);
  if (away->method == nullptr) {
    co_return fail(Code::unavailable,
                   why + ", and its schema is not known here; submit the job once that node is back");
  }
  context.console.note(why + "; the job waits for one");
  co_return away->method;
}

Task<int> submit(Self self, SubmitVerb* verb) {
  Context& context = *verb->context;
  Catalog catalog(*verb->view, schemas_folder(context.globals.text("state")));
  JobClient jobs(*verb->view, context.console);
  StatusLine waiting = please_wait(self, context.console, "asking the nodes what there is to call");
  const auto method = co_await find_method(self, verb, &catalog);
  waiting.end();
  if (self.stop_requested()) co_return 0;  // said where the signal or the time is known
  if (!method) {
    const int code = fail_name(context, method.error());
    co_return context.arguments.has("require-worker") ? exit_nothing_can_run_it : code;
  }
  const std::string name = method_name(*method);
  if (has_stream(*method)) {
    co_return fail_setup(context,
                         {Code::invalid_argument,
                          fmt::format("{} is a stream and cannot be a job; use: cobus call {}", name, name)});
  }
  auto bytes = co_await catalog.encode(self, (*method)->input_type(), verb->json);
  if (!bytes) co_return fail_setup(context, with_template_hint(bytes.error(), name));
  std::vector<std::string> away = homes_away(context, *verb->view);  // takes note of who is there now
  v1::SubmitRequest request = request_of(context.arguments, name, std::move(*bytes));
  const auto submitted = context.arguments.has("key")
                             ? co_await jobs.submit_once(self, std::move(request), std::move(away))
                             : co_await jobs.submit(self, std::move(request));
  if (!submitted) co_return fail_call(context, "submitting " + name, submitted.error());
  context.console.set_loss(fmt::format("job {} is submitted: cobus wait {}", submitted->id, submitted->id));
  if (!verb->wait) {
    print_id(context, *submitted, name);
    co_return 0;
  }
  if (!context.arguments.has("quiet")) {
    context.console.note(fmt::format("{} {} at {}", submitted->existed ? "submitted before:" : "submitted",
                                     submitted->id, submitted->home));
  }
  const auto job = co_await watch_job(self, &context, &jobs, submitted->id, submitted->home,
                                      context.arguments.has("follow"));
  if (!job)
    co_return self.stop_requested() ? 0 : fail_call(context, "waiting for job " + submitted->id, job.error());
  co_return co_await print_end(self, context, catalog, *job);
}

int run(Context& context) {
  const Arguments& arguments = context.arguments;
  const bool wait = arguments.has("wait") || arguments.has("follow");
  if (arguments.has("timeout") && !wait) {
    return fail_setup(context, {Code::invalid_argument,
                                "--timeout says how long to wait: give it with --wait; what bounds "
                                "each attempt of the job is --attempt-timeout"});
  }
  if (arguments.has("key") && arguments.text("key").empty()) {
    return fail_setup(context, {Code::invalid_argument,
                                "--key: the key is an empty text (a variable that is not set?); leave the "
                                "flag out, or write a key"});
  }
  auto json = read_request(arguments);
  if (!json) return fail_setup(context, json.error());
  SubmitVerb verb{&context, nullptr, std::move(*json), wait};
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  return run_verb(context, **session, arguments.duration("timeout"), &submit, &verb);
}

}  // namespace

Command submit_command() {
  using Kind = Flag::Kind;
  return {
      "submit",
      "submit a durable job and print its id",
      "The job is written down before its id is printed. It runs on any node that offers the method. It "
      "runs\n"
      "again when that node dies, when an attempt takes too long (DEADLINE_EXCEEDED), and when it fails "
      "with\n"
      "UNAVAILABLE, RESOURCE_EXHAUSTED or CANCELLED; any other error is not tried again.\n"
      "With --key: the job that has the key is looked for at every node that keeps jobs. While one of them,\n"
      "or one that kept jobs within the last week, cannot be asked: exit code 75, and nothing is submitted.\n"
      "With --wait: prints the result, with -o json the whole job; exit code 1 if it failed.",
      {{"METHOD", "package.Service/Method, or any end of it that is clear"},
       {"JSON", "the request: JSON, @FILE, or - for stdin; an empty request if left out", false}},
      {{"wait", "w", Kind::toggle, "", "wait for the job and print its result"},
       {"follow", "f", Kind::toggle, "", "the same, and tell on stderr what becomes of it"},
       {"timeout", "", Kind::duration, "DURATION", "how long to wait; then exit code 124, the job goes on",
        1},
       {"key", "", Kind::text, "KEY", "idempotency key: the same key and request is the same job"},
       {"attempts", "", Kind::number, "N", "how often it may be tried (5)", 1, 1000},
       {"attempt-timeout", "", Kind::duration, "DURATION", "how long one attempt may take", 1},
       {"label", "", Kind::pair, "KEY=VALUE", "a label to find it by; may be repeated"},
       {"require-worker", "", Kind::toggle, "", "exit code 4 when no node that is up offers the method"},
       {"quiet", "q", Kind::toggle, "", "nothing on stderr but errors"}},
      {{"cobus submit math.Primes/Count '{\"from\":0,\"to\":50000000}' --wait", "with a bar on a terminal"},
       {"id=$(cobus submit math.Primes/Count @range.json -q)", "then: cobus wait $id"},
       {"cobus submit Count @range.json --key nightly-2026-03-01", "safe to repeat"}},
      &run};
}

}  // namespace cobus::client
