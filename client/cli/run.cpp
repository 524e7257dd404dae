// SPDX-License-Identifier: Apache-2.0
#include "client/cli/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "client/cli/progress.hpp"
#include "client/cli/units.hpp"
#include "node/runtime/exit_code.hpp"
#include "proto/address.hpp"
#include "proto/similar.hpp"

namespace cobus::client {
namespace {

constexpr auto last_moment = std::chrono::seconds(1);            // that a verb has to end after an interrupt
constexpr auto between_frames = std::chrono::milliseconds(100);  // nothing is drawn for what takes no longer
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_out_of_time = 124;

}  // namespace

int join_exit_code(const Status& status) noexcept { return exit_code(status.code()); }

int setup_exit_code(const Status& status) noexcept {
  return status.code() == Code::unavailable ? exit_failed : exit_code(status.code());
}

int call_exit_code(const Status& status) noexcept {
  return status.code() == Code::invalid_argument ? exit_failed : setup_exit_code(status);
}

int fail_setup(Context& context, const Status& status) {
  context.console.error(status.message());
  return setup_exit_code(status);
}

int fail_name(Context& context, const Status& status) {
  context.console.error(status.message());
  return status.code() == Code::not_found ? exit_usage : setup_exit_code(status);
}

Status with_template_hint(const Status& status, const std::string& method) {
  if (status.message().find("did you mean") != std::string::npos) return status;
  return {status.code(), fmt::format("{}; for the fields see: cobus template {}", status.message(), method)};
}

Status unknown_node(const View& view, const std::string& name) {
  std::vector<std::string> known;
  for (const v1::NodeRecord& record : view.nodes()) known.push_back(record.name());
  const std::string similar = most_similar(name, known);
  if (known.empty()) return {Code::unavailable, "no node is up; start one with: cobus-node"};
  return {Code::not_found,
          fmt::format("there is no node '{}'; {}", name,
                      similar.empty() ? "see: cobus nodes" : "did you mean " + similar + "?")};
}

std::vector<v1::NodeRecord> all_nodes(const View& view) {
  std::vector<v1::NodeRecord> nodes = view.nodes();
  for (v1::NodeRecord& record : view.down()) nodes.push_back(std::move(record));
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.name() < b.name(); });
  return nodes;
}

Result<v1::NodeRecord> find_node(const View& view, const std::string& word) {
  std::vector<v1::NodeRecord> fitting;
  std::string names;
  for (v1::NodeRecord& node : all_nodes(view)) {
    if (node.name() == word) return std::move(node);
    if (word.empty() || !to_string(NodeId{node.node()}).starts_with(word)) continue;
    names +=
        (names.empty() ? "" : ", ") + fmt::format("{} ({})", to_string(NodeId{node.node()}), node.name());
    fitting.push_back(std::move(node));
  }
  if (fitting.size() == 1) return std::move(fitting.front());
  if (fitting.empty()) return fail(unknown_node(view, word));
  return fail(Code::invalid_argument,
              fmt::format("{} nodes have an id that begins with '{}': {}; write more of it", fitting.size(),
                          word, names));
}

Result<v1::NodeRecord> running_node(const View& view, const std::string& word) {
  auto node = find_node(view, word);
  if (!node || node->state() != v1::DEPARTED) return node;
  return fail(Code::unavailable, fmt::format("node {} is down (since {}); see: cobus nodes", node->name(),
                                             short_duration(std::chrono::milliseconds(node->age_ms()))));
}

Result<NodeId> node_to_call(const View& view, const std::string& word) {
  const auto node = running_node(view, word);
  if (!node) return fail(node.error());
  return NodeId{node->node()};
}

Duration method_timeout(const View& view, NodeId node, const std::string& method) {
  const std::uint32_t timeout_ms = view.terms(node, method).timeout_ms;
  return timeout_ms == 0 ? Duration(-1) : std::chrono::milliseconds(timeout_ms);
}

int fail_call(Context& context, const std::string& what, const Status& status) {
  context.console.error(fmt::format("{} failed: {}", what, printable(status.to_string())));
  return call_exit_code(status);
}

std::expected<std::unique_ptr<Session>, int> connect(Context& context) {
  SessionOptions options;
  options.state = context.globals.text("state");
  options.join = context.globals.text("join");
  options.connect_timeout = context.globals.duration("connect-timeout").value_or(options.connect_timeout);
  const TimePoint started = system_clock().now();
  CallProgress progress(started);
  progress.waits_for("connecting");
  options.while_waiting = [&context, &progress, drawn = started]() mutable {
    const TimePoint now = system_clock().now();
    if (now - drawn < between_frames) return;
    drawn = now;
    context.console.status(progress.line(now, context.console.err()));
  };
  auto session = Session::open(options);
  context.console.clear_status();
  if (session && (*session)->is_filling())
    context.console.note("the broker has just started, and may not know every node yet");
  if (session) return std::move(*session);
  context.console.error(session.error().message());
  return std::unexpected(join_exit_code(session.error()));
}

int wait_for_verb(Context& context, Session& session, Outcome<int>& outcome, Patience patience) {
  std::atomic<int> signal = 0;
  std::atomic<bool> is_out = false;
  Status why_out;  // once is_out
  session.when_shut_out([&](const Status& why) {
    if (is_out) return;
    why_out = why;
    is_out = true;
    outcome.nudge();
  });
  context.interrupts.catch_first([&](int number) {
    signal = number;
    outcome.nudge();
  });
  const TimePoint until = patience ? system_clock().now() + *patience : never;
  const bool done = outcome.wait_until(until, [&] { return signal != 0 || is_out; });
  session.when_shut_out({});
  if (!done) {
    context.console.clear_status();
    if (is_out) {
      context.console.error("shut out of the cluster: " + printable(why_out.message()));
    } else if (signal == 0) {
      context.console.error("gave up after " + short_duration(*patience) + " (--timeout)");
    }
    session.ask_to_stop();
    static_cast<void>(outcome.wait_until(system_clock().now() + last_moment, [] { return false; }));
  }
  context.interrupts.catch_first({});
  if (!done && is_out) return join_exit_code(why_out);
  if (!done) return signal != 0 ? 128 + signal : exit_out_of_time;
  return outcome.take().value_or(exit_failed);
}

TraceContext new_trace() {
  Random& random = system_random();
  TraceContext trace;
  trace.high = random.next();
  trace.low = random.next();
  trace.span = random.next();
  return trace;
}

}  // namespace cobus::client
