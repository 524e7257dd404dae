// SPDX-License-Identifier: Apache-2.0
//
// Run: the frame around a verb that talks to a cluster: opens the session, runs the verb's coroutine on it,
// waits on the main thread, and turns what happened into an exit code. The one place that maps errors to
// exit codes for the client.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/command.hpp"
#include "client/session.hpp"
#include "proto/status.hpp"

namespace cobus::client {

// Of an error of joining: UNAVAILABLE is that no broker is reached, and only here.
[[nodiscard]] int join_exit_code(const Status& status) noexcept;
// Of an error that came before anything was asked of a node: what the user typed, who is there.
[[nodiscard]] int setup_exit_code(const Status& status) noexcept;
// Of a call or job that was made and did not succeed. What the handler says of its arguments is its failure,
// not a wrong usage of this program.
[[nodiscard]] int call_exit_code(const Status& status) noexcept;

// Prints "cobus: MESSAGE" and gives the exit code.
int fail_setup(Context& context, const Status& status);
// The same for a name on the command line that nothing has: a wrong usage, unless no node is up at all.
int fail_name(Context& context, const Status& status);
// Prints "cobus: WHAT failed: CODE: MESSAGE" and gives the exit code.
int fail_call(Context& context, const std::string& what, const Status& status);

// What is wrong with a request for `method`, and how to see a right one.
[[nodiscard]] Status with_template_hint(const Status& status, const std::string& method);
// NOT_FOUND, with the name that was probably meant; UNAVAILABLE when no node is up.
[[nodiscard]] Status unknown_node(const View& view, const std::string& name);

// All nodes by name, those that left a short while ago as well.
[[nodiscard]] std::vector<v1::NodeRecord> all_nodes(const View& view);
// One of them, by its name, its id or the beginning of that. As unknown_node(); INVALID_ARGUMENT naming
// several.
[[nodiscard]] Result<v1::NodeRecord> find_node(const View& view, const std::string& word);
// The same; UNAVAILABLE when it is down.
[[nodiscard]] Result<v1::NodeRecord> running_node(const View& view, const std::string& word);
[[nodiscard]] Result<NodeId> node_to_call(const View& view, const std::string& word);
// How long a call of "package.Service/Method" may take that has no limit of its own, as `node` says;
// negative: it says nothing, so for ever.
[[nodiscard]] Duration method_timeout(const View& view, NodeId node, const std::string& method);

// The session that the global flags ask for; else the exit code, the reason being printed.
[[nodiscard]] std::expected<std::unique_ptr<Session>, int> connect(Context& context);

// How long a person is willing to wait for a verb; nothing: for ever.
using Patience = std::optional<Duration>;

// The coroutine's exit code. When a signal comes or the patience ends first, asks the coroutine to stop,
// waits a moment for it (it says what goes on without it), and gives 128 + the signal, or 124. A second
// signal ends the program at once.
[[nodiscard]] int wait_for_verb(Context& context, Session& session, Outcome<int>& outcome, Patience patience);

// A trace of its own for what one run of this program asks, so that a tap shows what belongs together.
[[nodiscard]] TraceContext new_trace();

// Runs `function(Self, arguments...)`, which gives a Task<int>.
template <class Function, class... Arguments>
[[nodiscard]] int run_verb(Context& context, Session& session, Patience patience, Function function,
                           Arguments... arguments) {
  const auto outcome = session.start<int>(function, std::move(arguments)...);
  return wait_for_verb(context, session, *outcome, patience);
}

}  // namespace cobus::client
