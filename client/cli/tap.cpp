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
#include "client/cli/caught.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "client/cli/tap_body.hpp"
#include "client/cli/tap_record.hpp"
#include "client/cli/units.hpp"
#include "node/runtime/scope.hpp"
#include "node/runtime/signal.hpp"

namespace cobus::client {
namespace {

constexpr Duration look_for_nodes = std::chrono::milliseconds(500);
constexpr Duration between_dropped = std::chrono::seconds(1);

// All that the coroutines of one tap share. Lives in main's frame, longer than the session.
struct TapVerb {
  Context* context = nullptr;
  View* view = nullptr;
  std::optional<Catalog> catalog;
  std::set<NodeId> tapped;                                         // nodes with a tap that is open
  std::size_t seeing = 0;                                          // of them, those that said that they see
  bool said = false;                                               // how many nodes are tapped
  std::uint64_t left = std::numeric_limits<std::uint64_t>::max();  // records still to be shown
  std::optional<TapTable> table;                                   // for people
  bool titled = false;
  std::uint64_t dropped = 0;  // records that nodes left out, not said yet
  TimePoint dropped_said{};
  Signal changed;
  Status refused;  // why a node lets nobody tap, or what ended a tap
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

// Once, before the first line or as soon as there may be one.
void print_titles(TapVerb& verb) {
  if (!verb.table || std::exchange(verb.titled, true)) return;
  Console& console = verb.context->console;
  console.print_titled(verb.table->titles());
}

void print(TapVerb& verb, const v1::TapRecord& record, const std::optional<Json>& body) {
  Console& console = verb.context->console;
  if (!verb.table) return console.print(one_line(tap_json(record, body)));
  print_titles(verb);
  console.print(verb.table->line(record, body));
}

// One line a second for all nodes, however often and in how many pieces they say it.
void print_dropped(TapVerb& verb, bool last) {
  const TimePoint now = system_clock().now();
  if (verb.dropped == 0 || (!last && now - verb.dropped_said < between_dropped)) return;
  verb.dropped_said = now;
  const std::uint64_t count = std::exchange(verb.dropped, 0);
  verb.context->console.print(verb.table ? dropped_line(count) : one_line(dropped_json(count)));
}

Task<Json> body_of(Self self, TapVerb* verb, v1::TapRecord record) {
  for (const std::string& method : methods_of_body(record))
    static_cast<void>(co_await verb->catalog->load_method(self, method));
  co_return tap_body(record, *verb->catalog);
}

Task<> show(Self self, TapVerb* verb, v1::TapBatch batch) {
  for (const v1::TapRecord& record : batch.records()) {
    std::optional<Json> body;
    if (verb->context->arguments.has("body") && !record.type().empty()) {
      // A record that cannot be shown costs none of those behind it.
      const Result<Json> shown = co_await caught(body_of(self, verb, record));
      body = shown ? *shown : Json{{"type", record.type()}, {"error", shown.error().message()}};
    }
    if (verb->left == 0) co_return;  // another node was quicker
    print(*verb, record, body);
    if (--verb->left == 0) verb->changed.notify();
  }
  verb->dropped += batch.dropped();
}

// A name with a slip in it would be waited for in silence.
void say_who_is_not_there(const TapVerb& verb) {
  for (const char* flag : {"from", "to"}) {
    const std::string& place = verb.context->arguments.text(flag);
    const std::string name = place.substr(0, place.find('/'));
    if (name.empty() || verb.view->find_name(name)) continue;
    const Status unknown = unknown_node(*verb.view, name);
    verb.context->console.note(
        fmt::format("--{}: {}; a client of that name, or a node that comes later, is shown all the same",
                    flag, unknown.message()));
  }
}

Task<> read_tap(Self self, TapVerb* verb, NodeId node) {
  CallOptions options;
  options.timeout = Duration(-1);
  options.flags = v1::HIDDEN;
  auto batches = v1::ObserveStub(self, node).Tap(request_of(verb->context->arguments), options);
  bool sees = false;
  while (std::optional<v1::TapBatch> batch = co_await batches.next()) {
    // The first batch is empty: from now on the node records.
    if (!std::exchange(sees, true)) {
      ++verb->seeing;
      verb->changed.notify();
    }
    co_await show(self, verb, std::move(*batch));
    if (verb->left == 0) co_return;
  }
  if (sees) --verb->seeing;
  verb->tapped.erase(node);
  const Code code = batches.status().code();
  if (code != Code::permission_denied && code != Code::unauthenticated) co_return;
  verb->refused = batches.status();
  verb->changed.notify();
}

Task<> tap_node(Self self, TapVerb* verb, NodeId node) {
  const Status broken = co_await caught(read_tap(self, verb, node));
  if (broken.ok()) co_return;
  verb->refused = broken;
  verb->changed.notify();
}

void say_that_it_sees(TapVerb& verb) {
  if (verb.said || verb.seeing == 0 || verb.seeing < verb.tapped.size()) return;
  verb.said = true;
  verb.context->console.note(
      fmt::format("tapping {} node{}; Ctrl-C ends it", verb.seeing, verb.seeing == 1 ? "" : "s"));
  print_titles(verb);
}

Task<int> tap(Self self, TapVerb* verb) {
  const auto longest = verb->context->arguments.duration("for");
  const TimePoint end = longest ? system_clock().now() + *longest : never;
  verb->catalog.emplace(*verb->view);
  if (verb->view->providers("cobus.v1.Observe").empty()) {
    co_return fail_setup(
        *verb->context,
        {Code::unavailable, "no node is up, so there is nothing to tap; start one with: cobus-node"});
  }
  const Format format = format_of(*verb->context);
  if (format == Format::table || format == Format::wide) verb->table.emplace(format == Format::wide);
  say_who_is_not_there(*verb);
  Scope taps;
  while (verb->left > 0 && verb->refused.ok() && system_clock().now() < end) {
    for (const v1::NodeRecord& record : verb->view->providers("cobus.v1.Observe")) {
      const NodeId node{record.node()};
      if (verb->tapped.insert(node).second) taps.spawn(tap_node(self, verb, node));
    }
    say_that_it_sees(*verb);
    print_dropped(*verb, false);
    const Duration wait =
        end == never ? look_for_nodes : std::min<Duration>(look_for_nodes, end - system_clock().now());
    if ((co_await verb->changed.wait(std::max(wait, Duration(0)))).code() == Code::cancelled) break;
  }
  print_dropped(*verb, true);
  if (!verb->refused.ok()) co_return fail_call(*verb->context, "tap", verb->refused);
  co_return 0;
}

int run(Context& context) {
  TapVerb verb;
  verb.context = &context;
  if (const auto count = context.arguments.number("count")) verb.left = static_cast<std::uint64_t>(*count);
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  const int code = run_verb(context, **session, {}, &tap, &verb);
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
          {{"from", "", Kind::text, "NODE[/WORKER]", "only what comes from there: the whole name"},
           {"to", "", Kind::text, "NODE[/WORKER]", "only what goes there"},
           {"method", "", Kind::text, "METHOD", "only this method; the same as FILTER"},
           {"type", "", Kind::text, "TYPE", "only messages of this type"},
           {"errors-only", "", Kind::toggle, "", "only errors"},
           {"slow", "", Kind::duration, "DURATION", "only the ends of calls that took at least this long"},
           {"rate", "", Kind::rate, "N/s", "records a second from each node (100/s)"},
           {"count", "", Kind::number, "N", "end after N records", 1},
           {"for", "", Kind::duration, "DURATION", "end after this time"},
           {"body", "", Kind::toggle, "", "show payloads"}},
          {{"cobus tap --count 10", "the next ten messages"},
           {"cobus tap text.Text --body -o jsonl", "one JSON object a line, with payloads"},
           {"cobus tap --errors-only --for 1m", "what fails during a minute"}},
          &run};
}

}  // namespace cobus::client
