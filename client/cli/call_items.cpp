// SPDX-License-Identifier: Apache-2.0
#include "client/cli/call_items.hpp"

#include <fmt/format.h>

#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "client/cli/units.hpp"
#include "node/runtime/scope.hpp"
#include "node/worker/call_stream.hpp"

namespace cobus::client {
namespace {

// What is on the way from the input to the screen. Its coroutines refer to it.
struct Conversation {
  Self self;
  Context* context;
  Catalog* catalog;
  const google::protobuf::MethodDescriptor* method;
  MapSource* source;
  EnvelopeStream stream;
  int code = 0;  // of answers that could not be shown whole
};

// The texts of the elements of `array`, which is valid JSON: as they stand, so that what is wrong with one is
// found by whoever reads it.
std::vector<MapInput> elements_of(std::string_view array) {
  std::vector<MapInput> elements;
  int depth = 0;
  bool quoted = false;
  std::size_t from = 0;
  const auto take = [&](std::size_t to) {
    const std::string_view text = array.substr(from, to - from);
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return;  // of an empty array
    elements.push_back({elements.size() + 1, false, std::string(text), {}});
  };
  for (std::size_t at = 0; at < array.size(); ++at) {
    const char c = array[at];
    if (quoted) {
      if (c == '\\') ++at;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (depth++ == 0) from = at + 1;
    } else if (c == ']' || c == '}') {
      if (--depth == 0) take(at);
    } else if (c == ',' && depth == 1) {
      take(at);
      from = at + 1;
    }
  }
  return elements;
}

Status named(const Status& status, const Conversation& talk, const MapInput& input) {
  const std::string which =
      input.line != 0 ? fmt::format("line {}", input.line) : fmt::format("request {}", input.sequence);
  return with_template_hint({status.code(), fmt::format("{}: {}", which, status.message())},
                            method_name(talk.method));
}

// Ok as soon as the callee takes no more: its answer says the rest.
Task<Status> send_all(Conversation* talk) {
  const TypeId type = type_id(talk->method->input_type()->full_name());
  while (std::optional<MapInput> input = co_await talk->source->next()) {
    if (!input->unusable.ok()) co_return named(input->unusable, *talk, *input);
    auto bytes = co_await talk->catalog->encode(talk->self, talk->method->input_type(), input->text);
    if (!bytes) co_return named(bytes.error(), *talk, *input);
    const Status sent =
        co_await talk->stream.send(std::make_unique<EncodedEnvelope>(type, std::move(*bytes)));
    if (sent.code() == Code::out_of_range && talk->stream.status().ok()) co_return named(sent, *talk, *input);
    if (!sent.ok()) co_return Status();
  }
  // Only what was read to its end ends the stream well.
  if (stop_requested()) co_return Status(Code::cancelled, "interrupted");
  if (!talk->source->status().ok())
    co_return Status(Code::invalid_argument, talk->source->status().message());
  talk->stream.end();
  co_return Status();
}

Task<Status> print_all(Conversation* talk) {
  while (EnvelopePtr item = co_await talk->stream.next()) {
    const Decoded answer = co_await talk->catalog->decode(talk->self, talk->method->output_type(), "",
                                                          std::string(item->encoded()));
    if (answer.is_message && item->kind == v1::REPLY) {
      print_value(talk->context->console, format_of(*talk->context), answer.json);
    } else if (answer.is_message) {
      talk->context->console.print(one_line(answer.json));
    }
    if (!answer.problem.ok())
      talk->code = fail_call(*talk->context, method_name(talk->method), answer.problem);
  }
  talk->source->cancel();
  co_return Status();
}

}  // namespace

Result<std::unique_ptr<MapSource>> open_items(const NamedInput& input) {
  if (input.descriptor >= 0)
    return std::make_unique<MapSource>(input.descriptor, input.name, Framing::values);
  const std::size_t first = input.text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || input.text[first] != '[')
    return std::make_unique<MapSource>(std::vector<MapInput>{{1, false, input.text, {}}});
  if (!Json::accept(input.text))
    return fail(Code::invalid_argument, "the requests are not a JSON array; write [{...}, {...}]");
  return std::make_unique<MapSource>(elements_of(input.text));
}

int fail_timed_call(Context& context, const std::string& method, const Status& status,
                    std::optional<Duration> timeout) {
  if (status.code() != Code::deadline_exceeded || (timeout && *timeout <= Duration(0)))
    return fail_call(context, method, status);
  const std::string had = timeout ? fmt::format("it had {}; ", short_duration(*timeout)) : "";
  return fail_call(
      context, method,
      {status.code(), fmt::format("{} ({}for longer: --timeout DURATION)", status.message(), had)});
}

Task<int> call_with_items(Self self, Context* context, Catalog* catalog,
                          const google::protobuf::MethodDescriptor* method, NodeId node, MapSource* source,
                          CallOptions options) {
  const std::string name = method_name(method);
  Conversation talk{self,   context, catalog,
                    method, source,  EnvelopeStream(self, node, name, nullptr, options)};
  Scope scope;
  // One that fails ends the other: a line that is no request ends the call.
  scope.spawn(send_all(&talk));
  scope.spawn(print_all(&talk));
  const Status bad = co_await scope.join();
  if (self.stop_requested()) co_return 0;  // said where the signal is known
  if (!bad.ok()) co_return fail_setup(*context, bad);
  if (!talk.stream.status().ok())
    co_return fail_timed_call(*context, name, talk.stream.status(), options.timeout);
  co_return talk.code;
}

}  // namespace cobus::client
