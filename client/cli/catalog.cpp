// SPDX-License-Identifier: Apache-2.0
#include "client/cli/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "client/cli/schema_fetch.hpp"
#include "node/link/identity.hpp"

namespace cobus::client {
namespace {

constexpr Duration look_again = std::chrono::seconds(10);  // for a type that no node knew
constexpr int any_levels_max = 8;                          // Anys within one another of types to look for

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

std::string said(const std::map<std::string, Status>& problems) {
  std::string text;
  for (const auto& [node, why] : problems) {
    text += (text.empty() ? "" : ", ") +
            fmt::format("node {} does not tell what it offers: {}", node, why.message());
  }
  return text;
}

Status nobody_tells(const std::map<std::string, Status>& problems) {
  if (problems.empty()) return {Code::unavailable, "no node tells what it offers"};
  // A refusal says more than a silence.
  Code code = problems.begin()->second.code();
  for (const auto& [node, why] : problems) {
    if (code == Code::unavailable || code == Code::deadline_exceeded) code = why.code();
  }
  return {code == Code::deadline_exceeded ? Code::unavailable : code, said(problems)};
}

}  // namespace

std::filesystem::path schemas_folder(const std::string& state) {
  return link::state_folder(state) / "client" / "schemas";
}

std::string method_name(const google::protobuf::MethodDescriptor* method) {
  return method->service()->full_name() + '/' + method->name();
}

bool has_stream(const google::protobuf::MethodDescriptor* method) {
  return method->client_streaming() || method->server_streaming();
}

std::set<std::string> matching_methods(const std::vector<v1::NodeRecord>& records, std::string_view name) {
  std::set<std::string> ordinary;
  std::set<std::string> internal;
  const std::string tail = dotted(name);
  for (const v1::NodeRecord& record : records) {
    for (const v1::ServiceRecord& service : record.services()) {
      for (const v1::MethodRecord& method : service.methods()) {
        const std::string full = dotted(method.name());
        if (full == tail) return {method.name()};
        if (is_tail(tail, full)) (service.internal() ? internal : ordinary).insert(method.name());
      }
    }
  }
  return ordinary.empty() ? internal : ordinary;
}

Catalog::Versions Catalog::versions_of(const std::string& service) const {
  Versions versions;
  for (const v1::NodeRecord& record : view_.available()) {
    for (const v1::ServiceRecord& offered : record.services()) {
      if (offered.name() == service) versions[offered.schema_digest()].insert(NodeId{record.node()});
    }
  }
  return versions;
}

std::vector<std::string> Catalog::nodes_with(const std::string& digest) const {
  std::vector<std::string> names;
  for (const v1::NodeRecord& record : view_.nodes()) {
    if (std::ranges::any_of(record.services(),
                            [&](const auto& each) { return each.schema_digest() == digest; }))
      names.push_back(record.name());
  }
  return names;
}

Task<Status> Catalog::load_all(Self self) {
  const std::vector<v1::NodeRecord> nodes = view_.available();
  if (nodes.empty()) co_return Status(Code::unavailable, "no node is up; start one with: cobus-node");
  std::set<std::string> digests;
  for (const v1::NodeRecord& record : nodes) {
    for (const v1::ServiceRecord& service : record.services()) {
      if (!service.schema_digest().empty()) digests.insert(service.schema_digest());
    }
  }
  SchemaFetch fetch(schemas_, cache_, nodes);
  co_await fetch.run(self, std::move(digests));
  problems_ = fetch.problems();
  if (schemas_.empty()) co_return nobody_tells(problems_);
  co_return Status();
}

Task<Status> Catalog::load_method(Self self, std::string method) {
  std::set<std::string> digests;
  for (const auto& [digest, nodes] : versions_of(method.substr(0, method.find('/')))) {
    if (!schemas_.has(digest)) digests.insert(digest);
  }
  if (digests.empty()) co_return Status();
  SchemaFetch fetch(schemas_, cache_, view_.available());
  co_await fetch.run(self, std::move(digests));
  co_return fetch.problems().empty() ? Status() : nobody_tells(fetch.problems());
}

std::optional<Catalog::Away> Catalog::away(const std::string& name) {
  if (!matching_methods(view_.available(), name).empty()) return std::nullopt;
  std::vector<v1::NodeRecord> records = view_.nodes();
  for (v1::NodeRecord& record : view_.down()) records.push_back(std::move(record));
  const std::set<std::string> fitting = matching_methods(records, name);
  if (fitting.size() != 1) return std::nullopt;
  Away away{*fitting.begin(), {}, nullptr};
  const std::string service = away.name.substr(0, away.name.find('/'));
  for (const v1::NodeRecord& record : records) {
    for (const v1::ServiceRecord& offered : record.services()) {
      if (offered.name() != service || away.method != nullptr) continue;
      away.node = record.name();
      if (const auto files = cache_.load(offered.schema_digest()))
        static_cast<void>(schemas_.add(offered.schema_digest(), *files));
      away.method = schemas_.find_method(offered.schema_digest(), away.name);
    }
  }
  return away;
}

// The directory has the names, so that nobody has to be asked for them, unless a node lists services alone.
Task<Result<std::string>> Catalog::full_name(Self self, std::string name) {
  const std::set<std::string> fitting = matching_methods(view_.available(), name);
  if (fitting.size() == 1) co_return *fitting.begin();
  if (fitting.size() > 1) co_return fail(ambiguous_name(name, "method", {fitting.begin(), fitting.end()}));
  if (Status loaded = co_await load_all(self); !loaded.ok()) co_return fail(std::move(loaded));
  auto full = full_method_name(name, schemas_.services());
  if (full || problems_.empty() || full.error().code() != Code::not_found) co_return full;
  co_return fail(full.error().code(), fmt::format("{}; not every node could be asked: {}",
                                                  full.error().message(), said(problems_)));
}

Task<Result<Catalog::Found>> Catalog::find(Self self, std::string name, NodeId node,
                                           std::set<NodeId> except) {
  const auto full = co_await full_name(self, std::move(name));
  if (!full) co_return fail(full.error());
  const Versions versions = versions_of(full->substr(0, full->find('/')));
  const bool named = node != NodeId::none;
  if (!named) {
    const auto chosen = view_.choose_among(*full, [&except](NodeId one) { return !except.contains(one); });
    if (!chosen && !except.empty()) co_return fail(chosen.error());
    if (chosen) node = *chosen;
  }
  std::set<std::string> digests;
  std::string wanted;
  for (const auto& [digest, nodes] : versions) {
    if (!digest.empty()) digests.insert(digest);
    if (nodes.contains(node)) wanted = digest;
  }
  std::vector<v1::NodeRecord> asked = view_.available();
  std::ranges::partition(asked, [node](const auto& record) { return NodeId{record.node()} == node; });
  SchemaFetch fetch(schemas_, cache_, std::move(asked));
  co_await fetch.run(self, std::move(digests), wanted);
  const auto found_in = [&](const std::string& digest) {
    const auto nodes = versions.find(digest);
    return Found{schemas_.find_method(digest, *full),
                 nodes == versions.end() ? std::set<NodeId>() : nodes->second, versions.size() <= 1};
  };
  if (Found own = found_in(wanted); own.method != nullptr) co_return own;
  // With a name that node's own counts, unless it lists none.
  if (const auto others = schemas_.methods(*full); !others.empty() && (!named || wanted.empty()))
    co_return found_in(others.front().first);
  co_return fail(nobody_tells(fetch.problems()));
}

Task<Result<const google::protobuf::MethodDescriptor*>> Catalog::find_method(Self self, std::string name) {
  const auto found = co_await find(self, std::move(name));
  if (!found) co_return fail(found.error());
  co_return found->method;
}

const google::protobuf::MethodDescriptor* Catalog::loaded_method(const std::string& method,
                                                                 const std::string& node) const {
  const google::protobuf::MethodDescriptor* best = nullptr;
  std::size_t most = 0;
  for (const auto& [digest, candidate] : schemas_.methods(method)) {
    const std::vector<std::string> nodes = nodes_with(digest);
    if (!node.empty() && std::ranges::find(nodes, node) != nodes.end()) return candidate;
    if (best == nullptr || nodes.size() > most) best = candidate;
    most = std::max(most, nodes.size());
  }
  return best;
}

Decoded Catalog::decode_now(const google::protobuf::Descriptor* type, std::string_view type_name,
                            std::string_view bytes, bool redacted) const {
  Status problem(Code::internal, fmt::format("no node that is up knows the schema of the {}", type_name));
  if (type != nullptr) {
    auto json = schemas_.pool_of(type).message_json(type, bytes, redacted);
    if (json) {
      Decoded decoded{std::move(json->value), json->status(type->full_name()), true};
      for (const JsonProblem& each : json->problems) {
        if (!each.unknown_type.empty()) decoded.unknown_types.push_back(each.unknown_type);
      }
      return decoded;
    }
    problem = Status(Code::internal, json.error().message());
  }
  if (redacted) return {Json{{"type", type_name}, {"size", bytes.size()}}, std::move(problem)};
  return {Json{{"type", type_name}, {"hex", hexadecimal(bytes)}}, std::move(problem)};
}

Json Catalog::decoded(const google::protobuf::Descriptor* type, std::string_view type_name,
                      std::string_view bytes, bool redacted) const {
  return decode_now(type, type_name, bytes, redacted).json;
}

Task<bool> Catalog::learn(Self self, const google::protobuf::Descriptor* type,
                          std::vector<std::string> names) {
  const auto lent = [&] {
    bool any = false;
    for (const std::string& name : names) any = schemas_.lend(type, name).ok() || any;
    return any;
  };
  if (lent()) co_return true;
  const TimePoint now = system_clock().now();
  if (looked_everywhere_ != TimePoint::min() && now - looked_everywhere_ < look_again) co_return false;
  looked_everywhere_ = now;
  static_cast<void>(co_await load_all(self));  // what is still unknown then is reported as such
  co_return lent();
}

Task<Decoded> Catalog::decode(Self self, const google::protobuf::Descriptor* type, std::string type_name,
                              std::string bytes, bool redacted) {
  Decoded decoded = decode_now(type, type_name, bytes, redacted);
  // An Any that has become known may hold another one.
  for (int i = 0; i < any_levels_max && !decoded.unknown_types.empty(); ++i) {
    const bool learned = co_await learn(self, type, decoded.unknown_types);
    if (!learned) break;
    decoded = decode_now(type, type_name, bytes, redacted);
  }
  co_return decoded;
}

Task<Decoded> Catalog::decode_result(Self self, std::string method, std::string bytes, std::string node) {
  const google::protobuf::MethodDescriptor* const found = loaded_method(method, node);
  co_return co_await decode(self, found != nullptr ? found->output_type() : nullptr, "result of " + method,
                            std::move(bytes));
}

Task<Result<std::string>> Catalog::encode(Self self, const google::protobuf::Descriptor* type,
                                          std::string json) {
  auto bytes = json_to_bytes(type, json);
  for (int i = 0; i < any_levels_max && !bytes; ++i) {
    const std::string unknown(bytes.error().detail(unknown_type_detail));
    if (unknown.empty()) break;
    const bool learned = co_await learn(self, type, {unknown});
    if (!learned) break;
    bytes = json_to_bytes(type, json);
  }
  co_return bytes;
}

}  // namespace cobus::client
