// SPDX-License-Identifier: Apache-2.0
//
// cobus call METHOD [JSON|@FILE|-]: one call; a stream prints one JSON line an item, and takes one a line.
#include <fmt/format.h>

#include "client/cli/call_items.hpp"
#include "client/cli/catalog.hpp"
#include "client/cli/options.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/request_input.hpp"
#include "client/cli/run.hpp"
#include "client/cli/status_line.hpp"

namespace cobus::client {
namespace {

constexpr Duration grace = std::chrono::milliseconds(200);  // for the callee to say itself that it is late

constexpr int exit_of_signals = 128;

struct CallVerb {
  Context* context;
  View* view;
  NamedInput input;
};

CallOptions options_of(const Context& context) {
  CallOptions options;
  options.timeout = context.arguments.duration("timeout").value_or(options.timeout);
  return options;
}

Task<int> call_stream(Self self, Context* context, Catalog* catalog,
                      const google::protobuf::MethodDescriptor* method, NodeId node, std::string bytes) {
  const std::string name = method_name(method);
  const TypeId type = type_id(method->input_type()->full_name());
  EnvelopeStream stream(self, node, name, std::make_unique<EncodedEnvelope>(type, std::move(bytes)),
                        options_of(*context));
  while (EnvelopePtr item = co_await stream.next()) {
    context->console.print(one_line(catalog->decoded(method->output_type(), "", item->encoded())));
  }
  if (self.stop_requested()) co_return 0;  // said where the signal is known
  if (!stream.status().ok()) co_return fail_call(*context, name, stream.status());
  co_return 0;
}

Task<int> call_once(Self self, Context* context, Catalog* catalog,
                    const google::protobuf::MethodDescriptor* method, NodeId node, std::string bytes) {
  const std::string name = method_name(method);
  const TypeId type = type_id(method->input_type()->full_name());
  CallProgress progress(system_clock().now());
  StatusLine line(self, context->console,
                  [&progress, context](TimePoint now) { return progress.line(now, context->console.err()); });
  CallOptions options = options_of(*context);
  options.on_progress = [&progress](const v1::Progress& p) {
    progress.update(p.fraction(), p.note(), system_clock().now());
  };
  auto reply = co_await call_envelope(self, node, name,
                                      std::make_unique<EncodedEnvelope>(type, std::move(bytes)), options);
  line.end();
  if (self.stop_requested()) co_return 0;
  if (!reply) co_return fail_call(*context, name, reply.error());
  print_value(context->console, format_of(*context),
              catalog->decoded(method->output_type(), "", (*reply)->encoded()));
  co_return 0;
}

Status no_items(const std::string& method) {
  return {
      Code::invalid_argument,
      fmt::format("{0} takes a stream of requests; give them as JSON lines, with - for stdin or @FILE, or "
                  "as a JSON array; [] for none",
                  method)};
}

// A slow writer at the other end of stdin holds nobody else.
Task<Result<std::string>> read_on_pool(NamedInput input) {
  const auto read = [input](OffloadStop stop) { return read_all(input, &stop); };
  co_return co_await offload(read);
}

Task<int> call(Self self, CallVerb* verb) {
  Context& context = *verb->context;
  NodeId node = NodeId::none;
  if (const std::string& name = context.arguments.text("node"); !name.empty()) {
    const auto named = node_to_call(*verb->view, name);
    if (!named) co_return fail_name(context, named.error());
    node = *named;
  }
  Catalog catalog(*verb->view);
  StatusLine waiting = please_wait(self, context.console, "asking the nodes what there is to call");
  const auto method = co_await catalog.find_method(self, context.arguments.text("METHOD"), node);
  waiting.end();
  if (self.stop_requested()) co_return 0;  // said where the signal or the time is known
  if (!method) co_return fail_name(context, method.error());
  if (node == NodeId::none)
    node = any_provider(*verb->view, (*method)->service()->full_name(), self.node().random());
  if ((*method)->client_streaming()) {
    if (!context.arguments.has("JSON")) co_return fail_setup(context, no_items(method_name(*method)));
    const auto source = open_items(verb->input);
    if (!source) co_return fail_setup(context, with_template_hint(source.error(), method_name(*method)));
    co_return co_await call_with_items(self, &context, &catalog, *method, node, source->get(),
                                       options_of(context));
  }
  const auto json = co_await read_on_pool(verb->input);
  if (self.stop_requested()) co_return 0;
  if (!json) co_return fail_setup(context, json.error());
  auto bytes = catalog.pool().json_to_bytes((*method)->input_type(), *json);
  if (!bytes) co_return fail_setup(context, with_template_hint(bytes.error(), method_name(*method)));
  if ((*method)->server_streaming()) {
    co_return co_await call_stream(self, &context, &catalog, *method, node, std::move(*bytes));
  }
  co_return co_await call_once(self, &context, &catalog, *method, node, std::move(*bytes));
}

int run(Context& context) {
  auto input = open_request(context.arguments);
  if (!input) return fail_setup(context, input.error());
  CallVerb verb{&context, nullptr, std::move(*input)};
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  // The callee is told as well. What is read may take its time: only the call itself is bounded then.
  const auto timeout = context.arguments.duration("timeout");
  const bool bounded = timeout && verb.input.descriptor < 0;
  const int code =
      run_verb(context, **session, bounded ? Patience(*timeout + grace) : Patience(), &call, &verb);
  if (code > exit_of_signals) context.console.error("interrupted; the call was cancelled");
  return code;
}

}  // namespace

Command call_command() {
  return {
      "call",
      "call a method and print its answer; a stream is one JSON line an item, in and out",
      "A call is not written down anywhere: when this program or the node ends, so does the call. For "
      "work that\n"
      "must survive that, see: cobus submit --help",
      {{"METHOD", "package.Service/Method, or any end of it that is clear"},
       {"JSON",
        "the request: JSON, @FILE, or - for stdin; an empty request if left out. Of a method that takes a\n"
        "stream: one on each line, or a JSON array of them",
        false}},
      {{"node", "", Flag::Kind::text, "NAME", "the node to call, rather than any that offers the method"},
       {"timeout", "", Flag::Kind::duration, "DURATION", "how long to wait for the answer (30s)", 1}},
      {{"cobus call echo.Echo/Echo '{\"text\":\"hello\"}'", "one answer"},
       {"cobus call Text/Grep @request.json", "one line an item"},
       {"tail -f requests.jsonl | cobus call Echo/Chat -", "a stream in, and one out"},
       {"echo '{\"from\":0,\"to\":100}' | cobus call math.Primes/Count -", "the request from stdin"}},
      &run};
}

}  // namespace cobus::client
