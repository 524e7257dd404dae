// SPDX-License-Identifier: Apache-2.0
//
// cobus describe WHAT, cobus template METHOD: what a request looks like, from the schemas of the nodes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "client/cli/catalog.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"

namespace cobus::client {
namespace {

struct Description {
  std::string kind;
  std::string name;
  std::string proto;
  std::vector<std::pair<std::string, std::vector<std::string>>> others;  // other versions, and who has them
};

// One of each text, with the nodes that offer it so: first the one that most have.
Description described(const char* kind, std::string name, const Catalog& catalog,
                      const std::function<std::string(const SchemaPool&)>& text_in) {
  std::map<std::string, std::set<std::string>> texts;
  for (const auto& [digest, pool] : catalog.schemas().pools()) {
    const std::string text = text_in(*pool);
    if (text.empty()) continue;
    std::set<std::string>& nodes = texts[text];
    for (std::string& node : catalog.nodes_with(digest)) nodes.insert(std::move(node));
  }
  Description description{kind, std::move(name), {}, {}};
  for (const auto& [text, nodes] : texts)
    description.others.emplace_back(text, std::vector<std::string>(nodes.begin(), nodes.end()));
  if (description.others.empty()) return description;
  std::iter_swap(
      description.others.begin(),
      std::ranges::max_element(description.others, {}, [](const auto& each) { return each.second.size(); }));
  description.proto = description.others.front().first;
  return description;
}

// The text of what has exactly this name; empty when there is none.
template <class Found>
std::string text_of(const Result<Found>& found, const std::string& name) {
  if (!found) return {};
  if constexpr (requires { method_name(*found); }) {
    if (method_name(*found) != name) return {};
  } else {
    if ((*found)->full_name() != name) return {};
  }
  return SchemaPool::proto_text(*found);
}

// A service, method or message; the error is that of the kind that `what` looks like.
Result<Description> describe(const Catalog& catalog, const std::string& what) {
  const ServiceDescriptors services = catalog.schemas().services();
  const auto service = full_service_name(what, services);
  const auto method = full_method_name(what, services);
  const auto message = full_message_name(what, catalog.schemas().messages());
  if (service) {
    return described("service", *service, catalog,
                     [&](const SchemaPool& pool) { return text_of(pool.find_service(*service), *service); });
  }
  if (method) {
    return described("method", *method, catalog,
                     [&](const SchemaPool& pool) { return text_of(pool.find_method(*method), *method); });
  }
  if (message) {
    return described("message", *message, catalog,
                     [&](const SchemaPool& pool) { return text_of(pool.find_message(*message), *message); });
  }
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

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

// In a rolling upgrade: whose text this is, and who offers another.
void tell_versions(Console& console, const Description& description) {
  for (std::size_t i = 1; i < description.others.size(); ++i) {
    console.note(printable(fmt::format(
        "{} {} is not the same everywhere: this is what {} offers; {} has another version", description.kind,
        description.name, joined(description.others[0].second), joined(description.others[i].second))));
  }
}

Task<int> describe_what(Self self, Context* context, View* view) {
  Catalog catalog(*view);
  const Status loaded = co_await catalog.load_all(self);
  if (!loaded.ok()) co_return fail_setup(*context, loaded);
  const auto found = describe(catalog, context->arguments.text("WHAT"));
  if (!found) co_return fail_name(*context, found.error());
  const Format format = asked_format(*context).value_or(Format::table);
  if (format == Format::table || format == Format::wide) {
    context->console.write(found->proto);
  } else {
    const Json object = {{"kind", found->kind}, {"name", found->name}, {"proto", found->proto}};
    print_object(context->console, format, object, "name", {});
  }
  tell_versions(context->console, *found);
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
