// SPDX-License-Identifier: Apache-2.0
//
// cobus call METHOD [JSON|@FILE|-]: one call; a stream prints one JSON line an item, and takes one a line.
#include <fmt/format.h>

#include <optional>
#include <set>

#include "client/cli/call_items.hpp"
#include "client/cli/catalog.hpp"
#include "client/cli/options.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/request_input.hpp"
#include "client/cli/run.hpp"
#include "client/cli/status_line.hpp"
#include "node/worker/call_stream.hpp"

namespace cobus::client {
namespace {

constexpr Duration grace = std::chrono::milliseconds(200);  // for the callee to say itself that it is late

constexpr int exit_of_signals = 128;

struct CallVerb {
  Context* context;
  View* view;
  NamedInput input;
  int code = 0;  // of items that could not be shown whole
};

// A stream goes on for as long as it does, unless the user or the method says otherwise.
CallOptions options_of(const Context& context, const View& view, const Catalog::Found& found, NodeId node) {
  CallOptions options;
  options.trace = new_trace();
  options.timeout = context.arguments.time_limit("timeout");
  if (!options.timeout && has_stream(found.method)) {
    const NodeId provider = node != NodeId::none || found.nodes.empty() ? node : *found.nodes.begin();
    options.timeout = method_timeout(view, provider, method_name(found.method));
  }
  if (!found.nodes.empty())
    options.eligible = [nodes = found.nodes](NodeId one) { return nodes.contains(one); };
  return options;
}

Task<Status> call_stream(Self self, CallVerb* verb, Catalog* catalog,
                         const google::protobuf::MethodDescriptor* method, EnvelopeStream stream) {
  Context& context = *verb->context;
  while (EnvelopePtr item = co_await stream.next()) {
    const Decoded decoded =
        co_await catalog->decode(self, method->output_type(), "", std::string(item->encoded()));
    if (decoded.is_message) context.console.print(one_line(decoded.json));
    if (!decoded.problem.ok()) verb->code = fail_call(context, method_name(method), decoded.problem);
  }
  co_return stream.status();
}

Task<Status> call_once(Self self, Context* context, Catalog* catalog,
                       const google::protobuf::MethodDescriptor* method, NodeId node, EnvelopePtr request,
                       CallOptions options) {
  CallProgress progress(system_clock().now());
  StatusLine line(self, context->console,
                  [&progress, context](TimePoint now) { return progress.line(now, context->console.err()); });
  options.on_progress = [&progress](const v1::Progress& p) {
    progress.update(p.fraction(), p.note(), system_clock().now());
  };
  auto reply = co_await call_envelope(self, node, method_name(method), std::move(request), options);
  line.end();
  if (self.stop_requested()) co_return Status();
  if (!reply) co_return reply.error();
  const Decoded decoded =
      co_await catalog->decode(self, method->output_type(), "", std::string((*reply)->encoded()));
  if (decoded.is_message) print_value(context->console, format_of(*context), decoded.json);
  co_return decoded.problem;
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

// The call as it goes to the nodes of one version. Ok when it was stopped: that is said where the signal is
// known.
Task<Status> call_version(Self self, CallVerb* verb, Catalog* catalog, Catalog::Found found, NodeId node,
                          std::string bytes) {
  Context& context = *verb->context;
  const google::protobuf::MethodDescriptor* const method = found.method;
  EnvelopePtr request =
      std::make_unique<EncodedEnvelope>(type_id(method->input_type()->full_name()), std::move(bytes));
  CallOptions options = options_of(context, *verb->view, found, node);
  if (!method->server_streaming())
    co_return co_await call_once(self, &context, catalog, method, node, std::move(request),
                                 std::move(options));
  co_return co_await call_stream(
      self, verb, catalog, method,
      EnvelopeStream(self, node, method_name(method), std::move(request), std::move(options)));
}

// Nodes of another version are asked when those of one have not begun, or do not take such a request: the
// library does not do it, since it is another request for them.
Task<int> call_versions(Self self, CallVerb* verb, Catalog* catalog, Catalog::Found found, NodeId node,
                        std::string json) {
  Context& context = *verb->context;
  const std::string name = method_name(found.method);
  std::set<NodeId> asked;
  Status misfit;
  std::string misfit_at;
  Status failed;
  for (;;) {
    auto bytes = co_await catalog->encode(self, found.method->input_type(), json);
    if (bytes) {
      if (!misfit.ok())
        context.console.note(printable(
            fmt::format("node {} has another version of {}: {}", misfit_at, name, misfit.message())));
      failed = co_await call_version(self, verb, catalog, found, node, std::move(*bytes));
      if (self.stop_requested()) co_return 0;
      if (failed.ok()) co_return verb->code;
      if (!never_started(failed)) break;
    } else if (misfit.ok()) {
      misfit = bytes.error();
      if (!found.nodes.empty()) misfit_at = verb->view->name_of(*found.nodes.begin());
    }
    asked.insert(found.nodes.begin(), found.nodes.end());
    if (node != NodeId::none || found.only_version) break;
    const auto next = co_await catalog->find(self, name, node, asked);
    if (!next || next->nodes.empty() || asked.contains(*next->nodes.begin())) break;
    found = *next;
  }
  if (!failed.ok()) {
    std::optional<Duration> had = context.arguments.time_limit("timeout");
    if (!had && !has_stream(found.method)) {
      had = method_timeout(*verb->view, node, name);
      if (*had <= Duration(0)) had = call_timeout_default;
    }
    co_return fail_timed_call(context, name, failed, had);
  }
  const std::string whose = found.only_version ? "" : fmt::format("node {}: ", misfit_at);
  co_return fail_setup(context, with_template_hint({misfit.code(), whose + misfit.message()}, name));
}

Task<int> call(Self self, CallVerb* verb) {
  Context& context = *verb->context;
  NodeId node = NodeId::none;
  if (const std::string& name = context.arguments.text("node"); !name.empty()) {
    const auto named = node_to_call(*verb->view, name);
    if (!named) co_return fail_name(context, named.error());
    node = *named;
  }
  Catalog catalog(*verb->view, schemas_folder(context.globals.text("state")));
  StatusLine waiting = please_wait(self, context.console, "asking the nodes what there is to call");
  const auto found = co_await catalog.find(self, context.arguments.text("METHOD"), node);
  waiting.end();
  if (self.stop_requested()) co_return 0;  // said where the signal or the time is known
  if (!found) co_return fail_name(context, found.error());
  if (found->method->client_streaming()) {
    const std::string name = method_name(found->method);
    if (!context.arguments.has("JSON")) co_return fail_setup(context, no_items(name));
    const auto source = open_items(verb->input);
    if (!source) co_return fail_setup(context, with_template_hint(source.error(), name));
    co_return co_await call_with_items(self, &context, &catalog, found->method, node, source->get(),
                                       options_of(context, *verb->view, *found, node));
  }
  const auto json = co_await read_on_pool(verb->input);
  if (self.stop_requested()) co_return 0;
  if (!json) co_return fail_setup(context, json.error());
  co_return co_await call_versions(self, verb, &catalog, *found, node, *json);
}

int run(Context& context) {
  auto input = open_request(context.arguments);
  if (!input) return fail_setup(context, input.error());
  CallVerb verb{&context, nullptr, std::move(*input)};
  auto session = connect(context);
  if (!session) return session.error();
  verb.view = &(*session)->view();
  // The callee is told as well. What is read may take its time: only the call itself is bounded then.
  const auto timeout = context.arguments.time_limit("timeout");
  const bool bounded = timeout && *timeout >= Duration(0) && verb.input.descriptor < 0;
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
      "must survive that, see: cobus submit --help\n"
      "Without --node, a node that is gone or refuses before it began is no failure: the next one is asked, "
      "and\n"
      "so it is when a node is lost in the middle and the method is idempotent.",
      {{"METHOD", "package.Service/Method, or any end of it that is clear"},
       {"JSON",
        "the request: JSON, @FILE, or - for stdin; an empty request if left out. Of a method that takes a\n"
        "stream: one after the other, or a JSON array of them",
        false}},
      {{"node", "", Flag::Kind::text, "NAME", "the node to call, rather than any that offers the method"},
       {"timeout", "", Flag::Kind::limit, "DURATION",
        "how long it may take; 0 or none: for ever (what the method says, else 30s; a stream: none)"}},
      {{"cobus call echo.Echo/Echo '{\"text\":\"hello\"}'", "one answer"},
       {"cobus call Text/Grep @request.json", "one line an item"},
       {"tail -f requests.jsonl | cobus call Echo/Chat -", "a stream in, and one out"},
       {"echo '{\"from\":0,\"to\":100}' | cobus call math.Primes/Count -", "the request from stdin"}},
      &run};
}

}  // namespace cobus::client
