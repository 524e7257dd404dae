// SPDX-License-Identifier: Apache-2.0
//
// cobus nodes, cobus node NAME, cobus services: who is there and what can be called. All of it is what the
// brokers told at the start of the session; nodes that left within the last minute are listed as down, and
// those that a broker hears nothing from as suspected.
#include <algorithm>

#include "client/cli/node_json.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"

namespace cobus::client {
namespace {

// The addresses of the brokers that suspect a node.
std::vector<std::string> suspected_by(Session& session, NodeId node) {
  std::vector<std::string> all;
  const std::vector<NodeId> by = session.view().suspected_by(node);
  if (by.empty()) return all;
  for (const Session::Broker& broker : session.brokers(Duration(0))) {
    if (std::ranges::find(by, broker.node) != by.end()) all.push_back(broker.address);
  }
  return all;
}

int run_nodes(Context& context) {
  auto session = connect(context);
  if (!session) return session.error();
  ListOutput output(context.console, format_of(context), node_columns(), "name");
  for (const v1::NodeRecord& record : all_nodes((*session)->view())) {
    output.add(
        node_json(record, context.arguments.has("all"), suspected_by(**session, NodeId{record.node()})));
  }
  output.finish();
  return 0;
}

int run_node(Context& context) {
  auto session = connect(context);
  if (!session) return session.error();
  const View& view = (*session)->view();
  const std::string& name = context.arguments.text("NAME");
  const auto record = find_node(view, name);
  if (!record) return fail_name(context, record.error());
  const Json node =
      node_json(*record, context.arguments.has("all"), suspected_by(**session, NodeId{record->node()}));
  print_object(context.console, format_of(context), node, "name", node_fields(node));
  return 0;
}

int run_services(Context& context) {
  auto session = connect(context);
  if (!session) return session.error();
  ListOutput output(context.console, format_of(context), service_columns(), "name");
  for (const Json& service : services_json((*session)->view().nodes(), context.arguments.has("all"))) {
    output.add(service);
  }
  output.finish();
  return 0;
}

const Flag all_flag = {"all", "", Flag::Kind::toggle, "", "services of cobus itself too"};

}  // namespace

Command nodes_command() {
  return {
      "nodes",    "list the nodes: name, state, address, services, load, version, time since it last renewed",
      "",         {},
      {all_flag}, {{"cobus nodes", "a table"}, {"cobus nodes -o jsonl", "one JSON object a node"}},
      &run_nodes};
}

Command node_command() {
  return {"node",     "show one node",
          "",         {{"NAME", "name or id of the node, or the beginning of its id"}},
          {all_flag}, {{"cobus node n1", ""}, {"cobus node n1 -o json", "for scripts"}},
          &run_node};
}

Command services_command() {
  return {"services",
          "list what can be called",
          "",
          {},
          {all_flag},
          {{"cobus services", "services, their methods, and how many nodes offer them"},
           {"cobus services -o wide", "with the names of the nodes"}},
          &run_services};
}

}  // namespace cobus::client
