// SPDX-License-Identifier: Apache-2.0
//
// cobus ps: the workers that stand highest, of all nodes or of one. Every node chooses its own; what they
// chose is put together here.
#include <cobus/v1/inspect.cobus.h>
#include <fmt/format.h>

#include <algorithm>

#include "client/cli/inspect_client.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "client/cli/worker_json.hpp"
#include "node/observe/top_order.hpp"
#include "node/runtime/scope.hpp"

namespace cobus::client {
namespace {

constexpr Duration window_default = std::chrono::seconds(1);
constexpr Duration window_max = std::chrono::minutes(1);
constexpr Duration patience = std::chrono::seconds(5);  // beyond the window
constexpr std::int64_t limit_default = 20;
constexpr std::int64_t limit_max = 1000;  // what a node gives

struct Row {
  std::string node;
  v1::WorkerRow row;
};

// Lives in run()'s frame, longer than the session.
struct PsVerb {
  explicit PsVerb(Context& with) : context(with), answers(with) {}
  Context& context;
  View* view = nullptr;
  Answers answers;
  v1::TopRequest request;
  std::vector<Row> rows;
  bool answered = false;
  std::uint64_t workers = 0;
  std::uint64_t window_us = 0;
};

v1::TopOrder order_of(const std::string& text) {
  return text == "messages" ? v1::BY_MESSAGES
         : text == "cpu"    ? v1::BY_CPU
         : text == "memory" ? v1::BY_MEMORY
                            : v1::BY_MAILBOX;
}

Task<> ask(Self self, PsVerb* verb, NodeId node, std::string name) {
  const Duration window = std::chrono::microseconds(verb->request.window_us());
  auto reply = co_await v1::InspectStub(self, node).Top(verb->request, inspect_options(window + patience));
  if (!reply) {
    verb->answers.failed(name, reply.error());
    co_return;
  }
  verb->answered = true;
  verb->workers += reply->workers();
  verb->window_us = std::max(verb->window_us, reply->window_us());
  verb->answers.silent(name, reply->silent_shards());
  for (v1::WorkerRow& row : *reply->mutable_rows()) verb->rows.push_back({name, std::move(row)});
}

void print(PsVerb& verb) {
  const bool window = verb.window_us > 0;
  const auto higher = [&](const Row& a, const Row& b) {
    const TopKey of_a = top_key(verb.request.order(), a.row, window);
    const TopKey of_b = top_key(verb.request.order(), b.row, window);
    if (of_a != of_b) return of_a > of_b;
    return a.node != b.node ? a.node < b.node : a.row.worker() < b.row.worker();
  };
  std::sort(verb.rows.begin(), verb.rows.end(), higher);
  if (verb.rows.size() > verb.request.limit()) verb.rows.resize(verb.request.limit());
  ListOutput output(verb.context.console, format_of(verb.context), worker_columns(), "address");
  for (const Row& row : verb.rows) output.add(worker_row_json(row.node, row.row, verb.window_us));
  output.finish();
  if (verb.rows.size() < verb.workers) {
    verb.context.console.note(fmt::format("{} of {} workers{}", verb.rows.size(), verb.workers,
                                          verb.request.limit() < limit_max ? "; for more: --limit N" : ""));
  }
}

Task<int> ps(Self self, PsVerb* verb) {
  Context& context = verb->context;
  const auto nodes = nodes_to_inspect(*verb->view, context.arguments.optional_text("node"));
  if (!nodes) co_return fail_name(context, nodes.error());
  Scope asked;
  for (const v1::NodeRecord& record : *nodes)
    asked.spawn(ask(self, verb, NodeId{record.node()}, record.name()));
  static_cast<void>(co_await asked.join());
  if (self.stop_requested()) co_return 0;
  if (verb->answered) print(*verb);
  co_return verb->answers.finish("ps");
}

int run(Context& context) {
  PsVerb verb(context);
  const Duration window = context.arguments.duration("window").value_or(window_default);
  if (window > window_max) return fail_setup(context, {Code::invalid_argument, "--window: at most 1m"});
  verb.request.set_order(order_of(context.arguments.text("sort")));
  verb.request.set_limit(
      static_cast<std::uint32_t>(context.arguments.number("limit").value_or(limit_default)));
  verb.request.set_window_us(static_cast<std::uint64_t>(window.count() / 1000));
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  const int code = run_verb(context, **session, {}, &ps, &verb);
  session->reset();  // ends the coroutines before what they refer to
  return code;
}

}  // namespace

Command ps_command() {
  using Kind = Flag::Kind;
  return {
      "ps",
      "list the workers that stand highest: by mailbox, messages, cpu or memory",
      "Every node looks at its workers twice, --window apart, and gives those that did most in between;\n"
      "--window 0 looks once, and tells no rates. CPU is sampled on the shard: what runs in the pool is not\n"
      "in it. MEMORY is what a worker itself and its mailbox take, not what it holds elsewhere. Those who\n"
      "look are left out.",
      {},
      {{"node", "", Kind::text, "NODE", "only the workers of this node"},
       {"sort", "", Kind::choice, "mailbox|messages|cpu|memory", "what makes them stand high (mailbox)"},
       {"window", "", Kind::duration, "DURATION", "how long to look (1s)"},
       {"limit", "", Kind::number, "N", "how many to list (20)", 1, limit_max}},
      {{"cobus ps", "whose messages pile up"},
       {"cobus ps --sort cpu --window 5s --node n1", "who is busy on one node"},
       {"cobus ps -o id --limit 1", "an address for: cobus worker"}},
      &run};
}

}  // namespace cobus::client
