// SPDX-License-Identifier: Apache-2.0
//
// cobus tree: who spawned whom, of all nodes or of one.
#include <cobus/v1/inspect.cobus.h>
#include <fmt/format.h>

#include <map>

#include "client/cli/inspect_client.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "client/cli/worker_tree_json.hpp"
#include "node/runtime/scope.hpp"

namespace cobus::client {
namespace {

constexpr Duration patience = std::chrono::seconds(10);
constexpr std::int64_t limit_default = 500;
constexpr std::int64_t limit_max = 2000;  // what a node gives

// Lives in run()'s frame, longer than the session.
struct TreeVerb {
  explicit TreeVerb(Context& with) : context(with), answers(with) {}
  Context& context;
  View* view = nullptr;
  Answers answers;
  std::map<std::string, v1::TreeReply> trees;  // by node
};

Task<> ask(Self self, TreeVerb* verb, NodeId node, std::string name) {
  v1::TreeRequest request;
  request.set_limit(
      static_cast<std::uint32_t>(verb->context.arguments.number("limit").value_or(limit_default)));
  auto reply = co_await v1::InspectStub(self, node).Tree(std::move(request), inspect_options(patience));
  if (!reply) {
    verb->answers.failed(name, reply.error());
    co_return;
  }
  verb->answers.silent(name, reply->silent_shards());
  verb->trees[name] = std::move(*reply);
}

void print_addresses(Console& console, const Json& children) {
  for (const Json& child : children) {
    if (!field(child, "address").is_null()) console.print(plain(field(child, "address")));
    print_addresses(console, field(child, "children"));
  }
}

void print(TreeVerb& verb) {
  Console& console = verb.context.console;
  const Format format = format_of(verb.context);
  if (format == Format::table || format == Format::wide) {
    const std::size_t columns = format == Format::table && console.out().terminal ? console.out().columns : 0;
    for (const auto& [node, reply] : verb.trees) {
      for (const std::string& line :
           tree_lines(node, reply, console.out().unicode || !console.out().terminal))
        console.print(columns == 0 ? line : fit(line, columns));
    }
    return;
  }
  if (format == Format::id) {
    for (const auto& [node, reply] : verb.trees)
      print_addresses(console, field(tree_json(node, reply), "children"));
    return;
  }
  ListOutput output(console, format, {}, "node");
  for (const auto& [node, reply] : verb.trees) output.add(tree_json(node, reply));
  output.finish();
}

Task<int> tree(Self self, TreeVerb* verb) {
  Context& context = verb->context;
  const auto nodes = nodes_to_inspect(*verb->view, context.arguments.optional_text("node"));
  if (!nodes) co_return fail_name(context, nodes.error());
  Scope asked;
  for (const v1::NodeRecord& record : *nodes)
    asked.spawn(ask(self, verb, NodeId{record.node()}, record.name()));
  static_cast<void>(co_await asked.join());
  if (self.stop_requested()) co_return 0;
  if (!verb->trees.empty()) print(*verb);
  co_return verb->answers.finish("tree");
}

int run(Context& context) {
  TreeVerb verb(context);
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  const int code = run_verb(context, **session, {}, &tree, &verb);
  session->reset();  // ends the coroutines before what they refer to
  return code;
}

}  // namespace

Command tree_command() {
  using Kind = Flag::Kind;
  return {"tree",
          "show who spawned whom",
          "Many workers of one kind below one parent are one line. A worker whose parent has ended stands at "
          "the\ntop. Call handlers have no parent: their callers may be anywhere.",
          {},
          {{"node", "", Kind::text, "NODE", "only the workers of this node"},
           {"limit", "", Kind::number, "N", "lines of a node (500)", 1, limit_max}},
          {{"cobus tree --node n1", ""}, {"cobus tree -o json", "nested, for scripts"}},
          &run};
}

}  // namespace cobus::client
