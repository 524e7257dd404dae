// SPDX-License-Identifier: Apache-2.0
//
// cobus worker ADDRESS: one worker in every detail, down to the line that each of its coroutines stands at.
#include <cobus/v1/inspect.cobus.h>
#include <fmt/format.h>

#include "client/cli/inspect_client.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "client/cli/worker_json.hpp"

namespace cobus::client {
namespace {

constexpr Duration patience = std::chrono::seconds(5);

struct WorkerVerb {
  Context* context;
  View* view;
  WorkerPlace place;
};

void print(Context& context, const Json& worker) {
  const Format format = format_of(context);
  print_object(context.console, format, worker, "address", worker_fields(worker));
  if (format != Format::table && format != Format::wide) return;
  const std::size_t columns =
      format == Format::table && context.console.out().terminal ? context.console.out().columns : 0;
  context.console.print("");
  bool title = true;
  for (const std::string& line : await_lines(worker, columns)) {
    context.console.print_titled(title ? line : "", title ? "" : line);
    title = false;
  }
}

Task<int> show(Self self, WorkerVerb* verb) {
  Context& context = *verb->context;
  const auto record = running_node(*verb->view, verb->place.node);
  if (!record) co_return fail_name(context, record.error());
  v1::ShowRequest request;
  request.set_worker(verb->place.worker.value);
  request.set_name(verb->place.name);
  auto reply = co_await v1::InspectStub(self, NodeId{record->node()})
                   .Show(std::move(request), inspect_options(patience));
  if (self.stop_requested()) co_return 0;
  if (!reply && reply.error().code() == Code::not_found) {
    co_return fail_name(context,
                        {Code::not_found, fmt::format("{}; those that run: cobus ps --node {}",
                                                      printable(reply.error().message()), record->name())});
  }
  if (!reply) co_return fail_call(context, "worker", reply.error());
  print(context, worker_json(record->name(), *reply));
  co_return 0;
}

int run(Context& context) {
  auto place = parse_worker_place(context.arguments.text("ADDRESS"));
  if (!place) return fail_setup(context, place.error());
  WorkerVerb verb{&context, nullptr, std::move(*place)};
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  return run_verb(context, **session, {}, &show, &verb);
}

}  // namespace

Command worker_command() {
  return {
      "worker",
      "show one worker: its mailbox, its ties, the call it handles, and where it stands",
      "The last part is the chain of awaits, from the outermost coroutine to the innermost, each with its "
      "line\nand for how long it has stood there; then what runs side by side in the worker.",
      {{"ADDRESS", "NODE/WORKER as cobus ps prints it, or NODE/NAME of a registered one"}},
      {},
      {{"cobus worker alpha/1.8.3", ""},
       {"cobus worker alpha/counter", "by name"},
       {"cobus worker $(cobus ps -o id --limit 1)", "the one with the most messages waiting"}},
      &run};
}

}  // namespace cobus::client
