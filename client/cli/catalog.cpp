// SPDX-License-Identifier: Apache-2.0
#include "client/cli/catalog.hpp"

#include <cobus/v1/observe.cobus.h>
#include <fmt/format.h>

#include <algorithm>

namespace cobus::client {
namespace {

constexpr Duration fetch_timeout = std::chrono::seconds(5);

std::string dotted(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '/', '.');
  return text;
}

bool is_tail(const std::string& name, const std::string& of) {
  if (name.empty() || !of.ends_with(name)) return false;
  return of.size() == name.size() || of[of.size() - name.size() - 1] == '.';
}

std::string hexadecimal(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

}  // namespace

std::string method_name(const google::protobuf::MethodDescriptor* method) {
  return method->service()->full_name() + '/' + method->name();
}

bool has_stream(const google::protobuf::MethodDescriptor* method) {
  return method->client_streaming() || method->server_streaming();
}

NodeId any_provider(const View& view, const std::string& service, Random& random) {
  const auto providers = view.providers(service);
  return providers.empty() ? NodeId::none : NodeId{providers[random.below(providers.size())].node()};
}

std::set<std::string> matching_methods(const std::vector<v1::NodeRecord>& records, std::string_view name) {
  std::set<std::string> ordinary;
  std::set<std::string> internal;
  const std::string tail = dotted(name);
  for (const v1::NodeRecord& record : records) {
    for (const v1::ServiceRecord& service : record.services()) {
      for (const v1::MethodRecord& method : service.methods()) {
        if (is_tail(tail, dotted(method.name())))
          (service.internal() ? internal : ordinary).insert(method.name());
      }
    }
  }
  return ordinary.empty() ? internal : ordinary;
}

Task<Status> Catalog::load(Self self, Wanted wanted, NodeId prefer) {
  std::vector<v1::NodeRecord> nodes = view_.available();
  std::partition(nodes.begin(), nodes.end(),
                 [prefer](const auto& node) { return NodeId{node.node()} == prefer; });
  Status failed;
  for (const v1::NodeRecord& record : nodes) {
    v1::FetchSchemaRequest request;
    for (const v1::ServiceRecord& service : record.services()) {
      if (wanted(service) && !loaded_.contains(service.schema_digest()))
        request.add_digests(service.schema_digest());
    }
    if (request.digests().empty()) continue;
    CallOptions options;
    options.timeout = fetch_timeout;
    options.flags = v1::HIDDEN;
    v1::SchemasStub schemas(self, NodeId{record.node()});
    auto reply = co_await schemas.Fetch(std::move(request), options);
    if (!reply) {
      failed = Status(reply.error().code(), fmt::format("node {} does not tell what it offers: {}",
                                                        record.name(), reply.error().message()));
      continue;
    }
    for (const v1::Schema& schema : reply->schemas()) {
      // A node of another release may define the same otherwise: what came first stays.
      if (const Status added = pool_.add(schema.files()); !added.ok()) failed = added;
      loaded_.insert(schema.digest());
    }
  }
  co_return failed;
}

Task<Status> Catalog::load_all(Self self) {
  if (view_.available().empty()) {
    co_return Status(Code::unavailable, "no node is up; start one with: cobus-node");
  }
  const Status loaded = co_await load(self, [](const v1::ServiceRecord&) { return true; }, NodeId::none);
  if (loaded_.empty() && !loaded.ok()) {
    co_return Status(Code::unavailable, fmt::format("no node tells what it offers: {}", loaded.message()));
  }
  co_return Status();
}

Task<Status> Catalog::load_method(Self self, std::string method) {
  const std::string service = method.substr(0, method.find('/'));
  co_return co_await load(
      self, [service](const v1::ServiceRecord& record) { return record.name() == service; }, NodeId::none);
}

Task<Result<const google::protobuf::MethodDescriptor*>> Catalog::find_method(Self self, std::string name,
                                                                             NodeId node) {
  const std::set<std::string> fitting = matching_methods(view_.available(), name);
  if (fitting.size() == 1) {
    const std::string service = fitting.begin()->substr(0, fitting.begin()->find('/'));
    const Status loaded = co_await load(
        self, [service](const v1::ServiceRecord& record) { return record.name() == service; }, node);
    auto found = pool_.find_method(*fitting.begin());
    if (!found && !loaded.ok()) co_return fail(loaded);
    co_return found;
  }
  // None or several: the pool knows how to say so.
  if (Status loaded = co_await load_all(self); !loaded.ok()) co_return fail(std::move(loaded));
  co_return pool_.find_method(name);
}

Json Catalog::decoded(const google::protobuf::Descriptor* type, std::string_view type_name,
                      std::string_view bytes, bool redacted) const {
  if (type != nullptr) {
    if (const auto json = pool_.bytes_to_json(type, bytes, {.pretty = false, .redact_secrets = redacted})) {
      return Json::parse(*json, nullptr, false);
    }
  }
  if (redacted) return Json{{"type", type_name}, {"size", bytes.size()}};
  return Json{{"type", type_name}, {"hex", hexadecimal(bytes)}};
}

Json Catalog::decoded_result(const std::string& method, std::string_view bytes) const {
  const auto found = pool_.find_method(method);
  return decoded(found ? (*found)->output_type() : nullptr, "result of " + method, bytes);
}

}  // namespace cobus::client
