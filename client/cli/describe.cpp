// SPDX-License-Identifier: Apache-2.0
//
// cobus describe WHAT, cobus template METHOD: what a request looks like, from the schemas of the nodes.
#include "client/cli/catalog.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"

namespace cobus::client {
namespace {

struct Description {
  std::string kind;
  std::string name;
  std::string proto;
};

// A service, method or message; the error is that of the kind that `what` looks like.
Result<Description> describe(const SchemaPool& pool, const std::string& what) {
  const auto method = pool.find_method(what);
  const auto service = pool.find_service(what);
  const auto message = pool.find_message(what);
  if (service) return Description{"service", (*service)->full_name(), SchemaPool::proto_text(*service)};
  if (method) return Description{"method", method_name(*method), SchemaPool::proto_text(*method)};
  if (message) return Description{"message", (*message)->full_name(), SchemaPool::proto_text(*message)};
  const Status errors[] = {service.error(), method.error(), message.error()};
  for (const Status& error : errors) {
    if (error.code() == Code::invalid_argument) return fail(error);  // it fits several
  }
  for (const Status& error : errors) {
    if (error.message().find("did you mean") != std::string::npos) return fail(error);
  }
  return fail(Code::not_found,
              "there is no service, method or message '" + what + "'; see: cobus services --all");
}

Task<int> describe_what(Self self, Context* context, View* view) {
  Catalog catalog(*view);
  const Status loaded = co_await catalog.load_all(self);
  if (!loaded.ok()) co_return fail_setup(*context, loaded);
  const auto found = describe(catalog.pool(), context->arguments.text("WHAT"));
  if (!found) co_return fail_name(*context, found.error());
  const Format format = asked_format(*context).value_or(Format::table);
  if (format == Format::table || format == Format::wide) {
    context->console.write(found->proto);
  } else {
    const Json object = {{"kind", found->kind}, {"name", found->name}, {"proto", found->proto}};
    print_object(context->console, format, object, "name", {});
  }
  co_return 0;
}

Task<int> print_template(Self self, Context* context, View* view) {
  Catalog catalog(*view);
  const auto method = co_await catalog.find_method(self, context->arguments.text("METHOD"));
  if (!method) co_return fail_name(*context, method.error());
  const Json request = Json::parse(SchemaPool::template_json((*method)->input_type()));
  print_value(context->console, asked_format(*context).value_or(Format::json), request);
  co_return 0;
}

int run_describe(Context& context) {
  auto session = connect(context);
  if (!session) return session.error();
  return run_verb(context, **session, {}, &describe_what, &context, &(*session)->view());
}

int run_template(Context& context) {
  auto session = connect(context);
  if (!session) return session.error();
  return run_verb(context, **session, {}, &print_template, &context, &(*session)->view());
}

}  // namespace

Command describe_command() {
  return {"describe",
          "print the .proto text of a service, method or message",
          "",
          {{"WHAT", "service, method or message, or the end of its name"}},
          {},
          {{"cobus describe text.Text", "a service"},
           {"cobus describe WordCount", "a method, by the end of its name"},
           {"cobus describe text.WordCountReply", "a message"}},
          &run_describe};
}

Command template_command() {
  return {"template",
          "print an empty request of a method, as JSON to fill in",
          "",
          {{"METHOD", "package.Service/Method, or the end of it"}},
          {},
          {{"cobus template math.Primes/Count >request.json",
            "then: cobus call math.Primes/Count @request.json"}},
          &run_template};
}

}  // namespace cobus::client
