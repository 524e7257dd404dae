// SPDX-License-Identifier: Apache-2.0
//
// cobus call METHOD [JSON|@FILE|-]: one call; a stream prints one JSON line an item.
#include <fmt/format.h>

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
  std::string json;
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
  auto bytes = catalog.pool().json_to_bytes((*method)->input_type(), verb->json);
  if (!bytes) co_return fail_setup(context, with_template_hint(bytes.error(), method_name(*method)));
  if (node == NodeId::none)
    node = any_provider(*verb->view, (*method)->service()->full_name(), self.node().random());
  if ((*method)->server_streaming()) {
    co_return co_await call_stream(self, &context, &catalog, *method, node, std::move(*bytes));
  }
  co_return co_await call_once(self, &context, &catalog, *method, node, std::move(*bytes));
}

int run(Context& context) {
  auto json = read_request(context.arguments);
  if (!json) return fail_setup(context, json.error());
  CallVerb verb{&context, nullptr, std::move(*json)};
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  // The callee is told as well; this bounds a stream that goes on.
  const auto timeout = context.arguments.duration("timeout");
  const int code =
      run_verb(context, **session, timeout ? Patience(*timeout + grace) : Patience(), &call, &verb);
  if (code > exit_of_signals) context.console.error("interrupted; the call was cancelled");
  return code;
}

}  // namespace

Command call_command() {
  return {"call",
          "call a method and print its answer; a stream prints one JSON line an item",
          "A call is not written down anywhere: when this program or the node ends, so does the call. For "
          "work that\n"
          "must survive that, see: cobus submit --help",
          {{"METHOD", "package.Service/Method, or any end of it that is clear"},
           {"JSON", "the request: JSON, @FILE, or - for stdin; an empty request if left out", false}},
          {{"node", "", Flag::Kind::text, "NAME", "the node to call, rather than any that offers the method"},
           {"timeout", "", Flag::Kind::duration, "DURATION", "how long to wait for the answer (30s)", 1}},
          {{"cobus call echo.Echo/Echo '{\"text\":\"hello\"}'", "one answer"},
           {"cobus call Text/Grep @request.json", "one line an item"},
           {"echo '{\"from\":0,\"to\":100}' | cobus call math.Primes/Count -", "the request from stdin"}},
          &run};
}

}  // namespace cobus::client
