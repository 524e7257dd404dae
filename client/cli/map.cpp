// SPDX-License-Identifier: Apache-2.0
//
// cobus map METHOD [INPUT|-]: one JSON request a line in, one result a line out; or one request a file.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>

#include "client/cli/caught.hpp"
#include "client/cli/known_homes.hpp"
#include "client/cli/map_resume.hpp"
#include "client/cli/map_runner.hpp"
#include "client/cli/options.hpp"
#include "client/cli/request_input.hpp"
#include "client/cli/run.hpp"
#include "client/cli/status_line.hpp"
#include "client/cli/units.hpp"
#include "node/runtime/scope.hpp"
#include "node/runtime/signal.hpp"

namespace cobus::client {
namespace {

constexpr int exit_away = 69;
constexpr int exit_no_room = 75;
constexpr int exit_not_permitted = 77;
constexpr std::uint64_t kept_back_max = 1024;  // results that wait for an earlier one

// All that the coroutines of one map share. Lives in main's frame, longer than the session.
struct MapVerb {
  Context* context;
  MapOptions options;
  MapResume resume;
  std::string run;  // what the jobs of this map are labelled with; that of the joblog if it goes on
  std::unique_ptr<MapSource> source;
  std::deque<MapInput> read_ahead;  // taken from the source before anything was sent
  std::unique_ptr<JoblogWriter> joblog;
  View* view = nullptr;
  std::optional<MapReport> report;
  Signal changed;
  std::optional<std::uint64_t> total;
  bool halted = false;
};

bool must_halt(const MapVerb& verb) {
  return !verb.report->status().ok() ||
         (verb.options.halt.fails > 0 && verb.report->failed() >= verb.options.halt.fails);
}

Task<> run_one(Self self, MapVerb* verb, MapRunner* runner, MapInput input) {
  const std::uint64_t sequence = input.sequence;
  MapOutcome broken = MapRunner::begun(verb->options, input);
  Result<std::optional<MapOutcome>> outcome = co_await caught(runner->run(self, std::move(input)));
  if (!outcome) {
    broken.error = outcome.error();
    broken.exit = 1;
    outcome = std::move(broken);
  }
  if (*outcome) {
    verb->report->end(std::move(**outcome));
  } else {
    verb->report->abandon(sequence);
  }
  if (must_halt(*verb)) {
    verb->halted = true;
    verb->source->cancel();
  }
  verb->changed.notify();
}

// Reads as far as the joblog goes before anything is sent, so that an input that is not the joblog's is
// refused as a whole.
Task<Status> pass_over(MapVerb* verb) {
  for (std::uint64_t read = 0; read < verb->resume.last(); ++read) {
    std::optional<MapInput> input = co_await verb->source->next();
    if (!input) break;
    const Result<bool> done = verb->resume.passes_over(verb->options, *input);
    if (!done) co_return done.error();
    if (!*done) verb->read_ahead.push_back(std::move(*input));
  }
  co_return Status();
}

Task<std::optional<MapInput>> next_input(MapVerb* verb) {
  if (verb->read_ahead.empty()) co_return co_await verb->source->next();
  std::optional<MapInput> input = std::move(verb->read_ahead.front());
  verb->read_ahead.pop_front();
  co_return input;
}

// Starts request after request, as many at once as wanted. Children of `scope`.
Task<> feed(Self self, MapVerb* verb, MapRunner* runner, Scope* scope) {
  const MapReport& report = *verb->report;
  for (;;) {
    while (!verb->halted &&
           (report.running() >= verb->options.parallel || report.kept_back() >= kept_back_max)) {
      if (!(co_await verb->changed.wait()).ok()) co_return;
    }
    if (verb->halted || self.stop_requested()) co_return;
    std::optional<MapInput> input = co_await next_input(verb);
    if (!input) co_return;
    verb->report->begin(input->sequence);
    scope->spawn(run_one(self, verb, runner, std::move(*input)));
  }
}

// Whether all requests came to an end, or are about to; false when --halt now leaves those that still run
// where they are.
Task<bool> over(MapVerb* verb) {
  for (;;) {
    if (verb->halted && verb->options.halt.now) co_return false;
    if (verb->report->running() == 0 || !(co_await verb->changed.wait()).ok()) co_return true;
  }
}

std::string summary(const MapVerb& verb, TimePoint started, bool interrupted) {
  const MapReport& report = *verb.report;
  std::string text = verb.halted && !interrupted ? "halted (--halt): " : "";
  text += fmt::format("{} done, {} failed", report.done() - report.failed(), report.failed());
  if (verb.resume.done() > 0) {
    text += fmt::format(", {} done before", verb.resume.done());
    if (verb.resume.failed() > 0)
      text += fmt::format(", {} of them failed: --retry-failed", verb.resume.failed());
  }
  if (report.abandoned() + report.running() > 0) {
    const std::string jobs =
        fmt::format("go on as jobs (cobus jobs --label {}={})", MapRunner::label, verb.run);
    text += fmt::format(", {} {}", report.abandoned() + report.running(),
                        verb.options.ledger ? jobs : "given up");
  }
  text += ", in " + short_duration(system_clock().now() - started);
  const std::string log = " --joblog " + verb.options.joblog;
  if (interrupted || verb.halted) {
    return text + (verb.options.joblog.empty() ? "" : "; go on with the same command and --resume" + log);
  }
  if (report.failed() > 0 && !verb.options.joblog.empty()) {
    const std::string files = verb.options.field.empty() ? "" : " --files " + verb.options.field;
    text +=
        fmt::format("; try those again: cobus map {}{} --retry-failed{}", verb.options.method, files, log);
  }
  return text;
}

int finish(Self self, MapVerb& verb, TimePoint started) {
  Context& context = *verb.context;
  MapReport& report = *verb.report;
  report.finish();
  const bool interrupted = self.stop_requested();
  const bool bad_input = !verb.source->status().ok();
  if (bad_input) context.console.error(verb.source->status().message());
  if (!report.status().ok()) context.console.error(report.status().message());
  const bool looked_at = verb.options.bar && context.console.err().terminal;
  if (interrupted || report.failed() > 0 || verb.resume.done() > 0 || looked_at) {
    context.console.note(summary(verb, started, interrupted));
  }
  // Whoever may not ask for one may not ask for any; the same for a cluster that is away or has no room.
  for (const int code : {exit_not_permitted, exit_no_room, exit_away}) {
    if (report.exit_of_all() == code) return code;
  }
  return report.failed() + verb.resume.failed() > 0 || bad_input || !report.status().ok() ? 1 : 0;
}

// The joblog names the method in full, so the whole name goes into the options.
Task<Result<const google::protobuf::MethodDescriptor*>> find_method(Self self, MapVerb* verb,
                                                                    Catalog* catalog) {
  auto method = co_await catalog->find_method(self, verb->options.method);
  if (!method) co_return method;
  verb->options.method = method_name(*method);
  if (has_stream(*method)) {
    co_return fail(Code::invalid_argument,
                   fmt::format("{} is a stream and cannot be mapped; use: cobus call {}",
                               verb->options.method, verb->options.method));
  }
  static_cast<void>(homes_away(*verb->context, *verb->view));  // takes note of who is there now
  if (!verb->options.ledger || !verb->view->providers("cobus.v1.Jobs").empty()) co_return method;
  co_return fail(Code::unavailable,
                 "no node keeps jobs; start one with: cobus-node --ledger sqlite, or map with --no-ledger");
}

// What --retry-failed tries again: the requests as the joblog has them.
Result<std::vector<MapInput>> failed_inputs(const MapVerb& verb) {
  std::vector<MapInput> inputs;
  for (const auto& [sequence, entry] : verb.resume.entries()) {
    if (entry.exit == 0) continue;
    auto input = parse_request_command(verb.options, entry.command);
    if (!input) return fail(input.error());
    input->sequence = sequence;
    input->failed_job = entry.job;
    inputs.push_back(std::move(*input));
  }
  return inputs;
}

Task<int> map(Self self, MapVerb* verb) {
  Context& context = *verb->context;
  const MapOptions& options = verb->options;
  Catalog catalog(*verb->view, schemas_folder(context.globals.text("state")));
  StatusLine waiting = please_wait(self, context.console, "asking the nodes what there is to call");
  const auto method = co_await find_method(self, verb, &catalog);
  waiting.end();
  if (self.stop_requested()) co_return 0;
  if (!method) co_return fail_name(context, method.error());
  FieldPath field;
  if (!options.field.empty()) {
    auto found = text_field((*method)->input_type(), options.field);
    if (!found) co_return fail_setup(context, found.error());
    field = std::move(*found);
  }
  if (!verb->source) {
    auto inputs = failed_inputs(*verb);
    if (!inputs) co_return fail_setup(context, inputs.error());
    verb->total = inputs->size();
    verb->source = std::make_unique<MapSource>(std::move(*inputs));
  } else if (const Status same = co_await pass_over(verb); !same.ok()) {
    co_return fail_setup(context, same);
  }
  MapRunner runner(options, context.console, *verb->view, catalog, *method, field, verb->run);
  verb->report.emplace(context.console, asked_format(context), options.keep_order, verb->joblog.get());
  const TimePoint started = system_clock().now();
  {
    RateMeter meter;
    std::optional<StatusLine> line;
    if (options.bar) {
      line.emplace(self, context.console, [verb, &runner, &meter, started](TimePoint now) {
        MapProgress progress{
            verb->report->done(), verb->report->failed(), verb->report->running(), runner.running_part(), {}};
        if (verb->total) progress.total = *verb->total - std::min(verb->resume.done(), *verb->total);
        meter.update(static_cast<double>(progress.done) + progress.running_part, now);
        return map_line(progress, meter, started, now, verb->context->console.err());
      });
    }
    Scope scope;
    co_await feed(self, verb, &runner, &scope);
    if (co_await over(verb)) static_cast<void>(co_await scope.join());
  }
  co_return finish(self, *verb, started);
}

Status open_source(MapVerb& verb) {
  const MapOptions& options = verb.options;
  if (options.retry_failed && !options.resume) return {};  // they come from the joblog
  if (!options.files.empty()) {
    std::vector<MapInput> inputs;
    for (const std::string& file : options.files) inputs.push_back({inputs.size() + 1, true, file, {}});
    verb.source = std::make_unique<MapSource>(std::move(inputs));
  } else if (options.input == "-") {
    if (Status readable = check_stdin(); !readable.ok()) return readable;
    verb.source = std::make_unique<MapSource>(STDIN_FILENO, "stdin");
  } else {
    const int descriptor = ::open(options.input.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
      const int error = errno;
      const bool at = options.input.starts_with('@') && options.input.size() > 1;
      return {
          Code::invalid_argument,
          fmt::format(
              "cannot read {}: {}{}", options.input, std::strerror(error),
              at ? "; map takes the name of a file as it is, without @: " + options.input.substr(1) : "")};
    }
    verb.source = std::make_unique<MapSource>(descriptor, options.input);
    struct stat facts{};
    if (::fstat(descriptor, &facts) == 0 && S_ISDIR(facts.st_mode)) {
      return {Code::invalid_argument,
              fmt::format("{} is a folder; to send the files in it: cobus map {} --files FIELD {}/*",
                          options.input, options.method, options.input)};
    }
  }
  if (options.bar) verb.total = verb.source->count();
  return {};
}

Status open_joblog(MapVerb& verb) {
  const MapOptions& options = verb.options;
  if (options.joblog.empty()) return {};
  const bool go_on = options.resume || options.retry_failed;
  if (go_on) {
    auto logged = read_joblog(options.joblog);
    const bool must_exist = !options.resume;
    if (!logged && (must_exist || logged.error().code() != Code::not_found)) {
      return {Code::invalid_argument, logged.error().message()};
    }
    if (logged) {
      if (!logged->run.empty()) verb.run = std::move(logged->run);
      verb.resume.load(std::move(logged->entries));
    }
  }
  auto writer = JoblogWriter::open(options.joblog, go_on, verb.run);
  if (!writer) return {Code::invalid_argument, writer.error().message()};
  verb.joblog = std::move(*writer);
  return {};
}

int run(Context& context) {
  auto options = map_options(context.arguments, ::isatty(STDIN_FILENO) == 1);
  if (!options) return fail_setup(context, options.error());
  if (!options->ledger && asked_format(context) == Format::id) {
    return fail_setup(context, {Code::invalid_argument,
                                "-o id prints the ids of jobs, and with --no-ledger there are none"});
  }
  MapVerb verb{};
  verb.context = &context;
  verb.options = std::move(*options);
  verb.run = fmt::format("{:016x}", system_random().next());
  if (const Status opened = open_source(verb); !opened.ok()) return fail_setup(context, opened);
  if (const Status opened = open_joblog(verb); !opened.ok()) return fail_setup(context, opened);
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  const int code = run_verb(context, **session, {}, &map, &verb);
  session->reset();  // ends the coroutines before what they refer to
  return code;
}

}  // namespace

Command map_command() {
  using Kind = Flag::Kind;
  return {
      "map",
      "call a method for each line of JSON, or for each file, on all nodes",
      "Each request is a durable job: what is lost with a node is done again elsewhere. Requests are read as "
      "they are\n"
      "needed, so the input may be endless. Without -o one result a line; with -o jsonl one object a line:\n"
      "seq, input, id, node, state, attempt, and result or error. Exit code 1 if a request failed; the "
      "others go on.",
      {{"METHOD", "package.Service/Method, or any end of it that is clear"},
       {"INPUT", "a file with one JSON request a line; - or nothing for stdin", false}},
      {{"files", "", Kind::texts, "FIELD PATH...",
        "one request a file instead, with FIELD (or FIELD.INNER) set to its text"},
       {"jobs", "j", Kind::number, "N", "requests at once (16)", 1, 10'000},
       {"keep-order", "k", Kind::toggle, "",
        "print results in the order of the input; null for a request that failed"},
       {"bar", "", Kind::toggle, "", "a bar on stderr, if that is a terminal"},
       {"joblog", "", Kind::text, "FILE", "write down what is done, in the columns of GNU parallel"},
       {"resume", "", Kind::toggle, "", "pass over what the joblog has"},
       {"retry-failed", "", Kind::toggle, "", "do again what failed according to the joblog"},
       {"halt", "", Kind::text, "now,fail=N",
        "end after N failures; soon,fail=N waits for what runs; never (the default)"},
       {"timeout", "", Kind::duration, "DURATION", "of one attempt of a request", 1},
       {"no-ledger", "", Kind::toggle, "",
        "plain calls instead of jobs: faster, gone when this program ends"}},
      {{"cobus map text.Text/WordCount --files text *.txt --keep-order", "one line a file"},
       {"seq 9 | sed 's/.*/{\"text\":\"&\"}/' | cobus map echo.Echo/Echo -", "lines from stdin"},
       {"cobus map Count ranges.jsonl -j 64 --bar --joblog run.tsv", "then --resume or --retry-failed"}},
      &run};
}

}  // namespace cobus::client
