// SPDX-License-Identifier: Apache-2.0
//
// cobus doctor: looks at files, brokers and nodes, and says what is wrong and how to mend it.
#include <cobus/v1/admin.cobus.h>
#include <cobus/v1/inspect.cobus.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "client/cli/doctor_checks.hpp"
#include "client/cli/inspect_client.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "node/link/identity.hpp"
#include "node/link/state_folder_check.hpp"
#include "node/runtime/scope.hpp"
#include "proto/version.hpp"

namespace cobus::client {
namespace {

constexpr Duration patience = std::chrono::seconds(5);
constexpr int exit_findings = 1;

std::int64_t unix_us() { return system_clock().unix_us(); }

// Lives in run()'s frame, longer than the session.
struct DoctorVerb {
  explicit DoctorVerb(Context& with) : context(with) {}
  Context& context;
  std::vector<Examined> nodes;
  std::vector<Finding> findings;
  std::vector<NodeId> brokers;
  std::vector<v1::LostReply> lost;
  Status refused;
};

Task<> examine(Self self, DoctorVerb* verb, Examined* node, std::vector<NodeId> all) {
  const NodeId id{node->record.node()};
  node->asked_us = unix_us();
  auto health = co_await v1::InspectStub(self, id).Health({}, inspect_options(patience));
  node->answered_us = unix_us();
  if (health) {
    node->health = std::move(*health);
  } else {
    node->trouble = health.error();
    if (node->trouble.code() == Code::permission_denied) verb->refused = node->trouble;
    co_return;
  }
  if (!verb->context.arguments.has("mesh")) co_return;
  v1::ReachRequest request;
  for (const NodeId other : all) {
    if (other != id) request.add_nodes(static_cast<std::uint64_t>(other));
  }
  auto reached = co_await v1::InspectStub(self, id).Reach(std::move(request), inspect_options(2 * patience));
  if (reached) node->reached = std::move(*reached);
}

// A broker of an earlier release does not know.
Task<> ask_for_lost(Self self, DoctorVerb* verb, NodeId broker) {
  auto lost = co_await v1::AdminStub(self, broker).Lost({}, inspect_options(patience));
  if (lost) verb->lost.push_back(std::move(*lost));
}

Task<int> examine_all(Self self, DoctorVerb* verb) {
  std::vector<NodeId> all;
  for (const Examined& node : verb->nodes) all.push_back(NodeId{node.record.node()});
  Scope asked;
  for (Examined& node : verb->nodes) asked.spawn(examine(self, verb, &node, all));
  for (const NodeId broker : verb->brokers) asked.spawn(ask_for_lost(self, verb, broker));
  static_cast<void>(co_await asked.join());
  co_return verb->refused.ok() ? 0 : fail_call(verb->context, "doctor", verb->refused);
}

void add(std::vector<Finding>& all, std::vector<Finding> more) {
  std::ranges::move(more, std::back_inserter(all));
}

int print(DoctorVerb& verb, const std::string& looked_at) {
  ListOutput output(verb.context.console, format_of(verb.context), finding_columns(), "code");
  for (const Finding& finding : verb.findings) output.add(finding_json(finding));
  if (!verb.findings.empty() || format_of(verb.context) != Format::table) output.finish();
  verb.context.console.note(verb.findings.empty()
                                ? "nothing is wrong with " + looked_at
                                : fmt::format("{} finding{}, of {}", verb.findings.size(),
                                              verb.findings.size() == 1 ? "" : "s", looked_at));
  return verb.findings.empty() ? 0 : exit_findings;
}

int run(Context& context) {
  DoctorVerb verb(context);
  if (const Status checked = link::check_state_folder(context.globals.text("state")); !checked.ok())
    return fail_setup(context, checked);
  verb.findings = check_files(link::state_folder(context.globals.text("state")));
  auto session = connect(context);
  if (!session) {
    // Why, stands on stderr.
    if (!verb.findings.empty()) static_cast<void>(print(verb, "the files of this user"));
    const bool unreachable = session.error() == join_exit_code({Code::unavailable, ""});
    return unreachable || verb.findings.empty() ? session.error() : exit_findings;
  }
  const auto brokers = (*session)->brokers(std::chrono::seconds(2));
  for (const Session::Broker& broker : brokers) {
    if (broker.node != NodeId::none) verb.brokers.push_back(broker.node);
  }
  for (v1::NodeRecord& record : (*session)->view().nodes()) {
    Examined& node = verb.nodes.emplace_back();
    node.record = std::move(record);
  }
  const int code = run_verb(context, **session, {}, &examine_all, &verb);
  const auto own = (*session)->node().links().certificate();
  session->reset();  // ends the coroutines before what they refer to
  if (code != 0) return code;
  v1::CertificateBody body;
  const std::int64_t now_s = unix_us() / 1'000'000;
  if (own && body.ParseFromString(own->body()))
    add(verb.findings, check_validity("this client", body.not_before(), body.not_after(), now_s));
  add(verb.findings, check_brokers(brokers, version()));
  add(verb.findings, check_nodes(verb.nodes, version(), now_s));
  add(verb.findings, check_lost(verb.lost, verb.nodes));
  add(verb.findings, check_mesh(verb.nodes));
  return print(verb,
               fmt::format("{} broker{} and {} node{}{}", brokers.size(), brokers.size() == 1 ? "" : "s",
                           verb.nodes.size(), verb.nodes.size() == 1 ? "" : "s",
                           context.arguments.has("mesh") ? ", and the ways between them" : ""));
}

}  // namespace

Command doctor_command() {
  return {
      "doctor",
      "look for what is wrong: files, brokers, nodes, clocks, certificates",
      "Each finding has a code that stays, what it is about, the cause and the mend. Exit code 0: nothing "
      "is\n"
      "wrong, 1: there are findings, 69: no broker answers. For the roles observe and admin.\n"
      "\n"
      "  D001  a file that others can read, or that is damaged   D008  a ledger that may lose jobs\n"
      "  D002  a broker that does not answer                     D009  few file descriptors left\n"
      "  D003  a broker of another release                       D010  messages that reached nobody\n"
      "  D004  a node that does not answer from here             D011  an address for its own host only\n"
      "  D005  a node of another release                         D012  a node that does not reach another\n"
      "  D006  a clock that is more than two seconds off         D013  no node is up\n"
      "  D007  a certificate that was not renewed in time        D014  lines of a log that were dropped\n"
      "  D015  a node that was lost within the hour              D016  a certificate that will not be "
      "renewed",
      {},
      {{"mesh", "", Flag::Kind::toggle, "", "have each node ask every other one too"}},
      {{"cobus doctor", "a table, or a line that all is well"},
       {"cobus doctor --mesh -o json", "also what only two of the nodes notice; for scripts"}},
      &run};
}

}  // namespace cobus::client
