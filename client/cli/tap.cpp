// SPDX-License-Identifier: Apache-2.0
//
// cobus tap [FILTER]: the live traffic of all nodes, decoded, one line a record. Nodes that join later are
// tapped too; what a node could not show in time is counted.
#include <cobus/v1/observe.cobus.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "client/cli/catalog.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "client/cli/units.hpp"
#include "node/runtime/scope.hpp"
#include "node/runtime/signal.hpp"

namespace cobus::client {
namespace {

constexpr Duration look_for_nodes = std::chrono::milliseconds(500);

struct TapVerb {
  Context* context;
  View* view;
  Catalog* catalog;
  std::set<NodeId> tapped;  // nodes with a tap that is open
  std::uint64_t left;       // records still to be shown
  Signal over;
  Status refused;  // why a node lets nobody tap
};

v1::TapRequest request_of(const Arguments& arguments) {
  v1::TapRequest request;
  request.set_from(arguments.text("from"));
  request.set_to(arguments.text("to"));
  request.set_method(arguments.has("method") ? arguments.text("method") : arguments.text("FILTER"));
  request.set_type(arguments.text("type"));
  request.set_errors_only(arguments.has("errors-only"));
  request.set_rate_max(arguments.rate("rate").value_or(0));
  request.set_body(arguments.has("body"));
  if (const auto slow = arguments.duration("slow")) {
    request.set_slow_us(
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(*slow).count()));
  }
  return request;
}

std::string kind_name(v1::Kind kind) {
  std::string name = v1::Kind_Name(kind);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

Json json_of(const v1::TapRecord& record, Catalog& catalog, bool with_body) {
  Json json;
  json["time"] = iso_time(record.time_us());
  json["kind"] = kind_name(record.kind());
  json["from"] = record.from();
  json["to"] = record.to();
  json["type"] = record.type();
  json["method"] = record.method();
  json["size"] = record.size();
  json["trace"] = record.has_trace()
                      ? fmt::format("{:016x}{:016x}", record.trace().trace_high(), record.trace().trace_low())
                      : std::string();
  json["latency_us"] = record.latency_us();
  json["status"] = code_name(Code{record.code()});
  if (!record.message().empty()) json["message"] = record.message();
  if (with_body && !record.type().empty()) {
    const auto type = catalog.pool().find_message(record.type());
    json["body"] = catalog.decoded(type ? *type : nullptr, record.type(), record.body(), true);
  }
  return json;
}

std::string line_of(const v1::TapRecord& record, const Json& json) {
  std::string line = fmt::format("{}  {} → {}  {:<7}", clock_time(record.time_us()), record.from(),
                                 record.to(), kind_name(record.kind()));
  if (!record.method().empty()) line += "  " + record.method();
  if (!record.type().empty()) line += "  " + record.type();
  line += "  " + short_size(record.size());
  if (record.latency_us() > 0) line += "  " + short_duration(std::chrono::microseconds(record.latency_us()));
  if (record.code() != 0) line += fmt::format("  {} {}", code_name(Code{record.code()}), record.message());
  if (json.contains("body")) line += "  " + one_line(json["body"]);
  return line;
}

Task<> show(Self self, TapVerb* verb, v1::TapBatch batch) {
  const Format format = format_of(*verb->context);
  const bool people = format == Format::table || format == Format::wide;
  const bool with_body = verb->context->arguments.has("body");
  Console& console = verb->context->console;
  for (const v1::TapRecord& record : batch.records()) {
    if (verb->left == 0) co_return;
    if (with_body && !record.method().empty()) {
      static_cast<void>(co_await verb->catalog->load_method(self, record.method()));
    }
    const Json json = json_of(record, *verb->catalog, with_body);
    console.print(people ? printable(line_of(record, json)) : one_line(json));
    if (--verb->left == 0) verb->over.notify();
  }
  if (batch.dropped() == 0) co_return;
  if (people) {
    console.print(
        fmt::format("              … {} records were not shown: filter, or raise --rate", batch.dropped()));
  } else {
    console.print(one_line(Json{{"dropped", batch.dropped()}}));
  }
}

Task<> tap_node(Self self, TapVerb* verb, NodeId node) {
  CallOptions options;
  options.timeout = Duration(-1);
  options.flags = v1::HIDDEN;
  auto batches = v1::ObserveStub(self, node).Tap(request_of(verb->context->arguments), options);
  while (std::optional<v1::TapBatch> batch = co_await batches.next()) {
    co_await show(self, verb, std::move(*batch));
    if (verb->left == 0) co_return;
  }
  verb->tapped.erase(node);
  if (batches.status().code() == Code::permission_denied) {
    verb->refused = batches.status();
    verb->over.notify();
  }
}

Task<int> tap(Self self, TapVerb* verb) {
  const auto longest = verb->context->arguments.duration("for");
  const TimePoint end = longest ? system_clock().now() + *longest : never;
  Scope taps;
  bool first = true;
  while (verb->left > 0 && verb->refused.ok() && system_clock().now() < end) {
    const auto able = verb->view->providers("cobus.v1.Observe");
    if (first && able.empty()) {
      co_return fail_setup(
          *verb->context,
          Status(Code::unavailable, "no node is up, so there is nothing to tap; start one with: cobus-node"));
    }
    first = false;
    for (const v1::NodeRecord& record : able) {
      const NodeId node{record.node()};
      if (verb->tapped.insert(node).second) taps.spawn(tap_node(self, verb, node));
    }
    const Duration wait =
        end == never ? look_for_nodes : std::min<Duration>(look_for_nodes, end - system_clock().now());
    if ((co_await verb->over.wait(std::max(wait, Duration(0)))).code() == Code::cancelled) break;
  }
  if (!verb->refused.ok()) co_return fail_call(*verb->context, "tap", verb->refused);
  co_return 0;
}

int run(Context& context) {
  auto session = connect(context);
  if (!session) return session.error();
  Catalog catalog((*session)->view());
  TapVerb verb{&context, &(*session)->view(), &catalog, {}, 0, {}, {}};
  verb.left = static_cast<std::uint64_t>(
      context.arguments.number("count").value_or(std::numeric_limits<std::int64_t>::max()));
  const int code = run_verb(context, **session, std::nullopt, &tap, &verb);
  session->reset();  // ends the coroutines before what they refer to
  return code;
}

}  // namespace

Command tap_command() {
  using Kind = Flag::Kind;
  return {"tap",
          "show the live traffic of all nodes, decoded",
          "What passes is recorded only while somebody taps. A node shows at most --rate records a second "
          "and says\n"
          "how many it left out. Payloads are shown with --body; fields marked secret never are.",
          {{"FILTER", "a method, or the start or end of its name", false}},
          {{"from", "", Kind::text, "NODE[/WORKER]", "only what comes from there", 0, 0},
           {"to", "", Kind::text, "NODE[/WORKER]", "only what goes there", 0, 0},
           {"method", "", Kind::text, "METHOD", "only this method", 0, 0},
           {"type", "", Kind::text, "TYPE", "only messages of this type", 0, 0},
           {"errors-only", "", Kind::toggle, "", "only errors", 0, 0},
           {"slow", "", Kind::duration, "DURATION", "only answers that took at least this long", 0, 0},
           {"rate", "", Kind::rate, "N/s", "records a second from each node (100/s)", 0, 0},
           {"count", "", Kind::number, "N", "end after N records", 1},
           {"for", "", Kind::duration, "DURATION", "end after this time", 0, 0},
           {"body", "", Kind::toggle, "", "show payloads", 0, 0}},
          {{"cobus tap --count 10", "the next ten messages"},
           {"cobus tap text.Text --body -o jsonl", "one JSON object a line, with payloads"},
           {"cobus tap --errors-only --for 1m", "what fails during a minute"}},
          &run};
}

}  // namespace cobus::client
