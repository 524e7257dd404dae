// SPDX-License-Identifier: Apache-2.0
#include "client/cli/node_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "client/cli/units.hpp"
#include "proto/address.hpp"
#include "proto/limits.hpp"

namespace cobus::client {
namespace {

std::string state_name(v1::NodeState state) {
  switch (state) {
    case v1::UP:
      return "up";
    case v1::DRAINING:
      return "draining";
    case v1::DEPARTED:
      return "down";
    default:
      return "unknown";
  }
}

// Scripts that look for nodes that are up read `state`, and find one until it is down.
std::string state_text(const Json& node) {
  const bool suspected = !field(node, "suspected_by").empty();
  return plain(field(node, "state")) + (suspected ? ", suspected" : "") +
         (node.value("unconfirmed", false) ? ", unconfirmed" : "");
}

std::string joined(const Json& list) {
  std::string text;
  for (const Json& item : list) text += (text.empty() ? "" : " ") + plain(item);
  return text;
}

std::string suspected_text(const Json& brokers) {
  if (brokers.empty()) return "";
  return fmt::format("{}: nothing came from it for {} s or more; after {} s it counts as down",
                     joined(brokers), limits::suspect_after / std::chrono::seconds(1),
                     limits::down_after / std::chrono::seconds(1));
}

std::string labels_text(const Json& labels) {
  std::string text;
  for (const auto& label : labels.items())
    text += (text.empty() ? "" : " ") + label.key() + '=' + plain(label.value());
  return text;
}

std::string cpu_text(const Json& load) {
  const Json& cpu = field(load, "cpu");
  return cpu.is_number() ? fmt::format("{:.0f}%", cpu.get<double>() * 100) : "";
}

std::string memory_text(const Json& load) {
  const Json& memory = field(load, "memory_bytes");
  return memory.is_number() ? short_size(memory.get<std::uint64_t>()) : "";
}

// "3 (2 no such worker, 1 mailbox full)"; nothing when there are none.
std::string dead_letters_text(const Json& reasons) {
  std::uint64_t total = 0;
  std::string text;
  for (const auto& reason : reasons.items()) {
    total += reason.value().get<std::uint64_t>();
    text += (text.empty() ? "" : ", ") + plain(reason.value()) + ' ' + reason.key();
  }
  return total == 0 ? "" : fmt::format("{} ({})", total, text);
}

std::string age_text(const Json& node) {
  return short_duration(std::chrono::milliseconds(node.value("age_ms", 0)));
}

// "Echo Grep" of the full method names.
std::string method_tails(const Json& methods) {
  std::string text;
  for (const Json& method : methods) {
    const std::string name = plain(field(method, "name"));
    text += (text.empty() ? "" : " ") + name.substr(name.find('/') + 1);
    if (method.value("streaming", false) || method.value("client_streaming", false)) text += "*";
  }
  return text;
}

// The beginning of it, in hexadecimal: enough to tell the versions of one service apart.
std::string short_digest(const std::string& digest) {
  std::string text;
  for (const char byte : digest.substr(0, 4)) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

// "n1 n2", or "1a2b3c4d: n1 n2; 5e6f7a8b: n3" where they differ.
std::string nodes_by_version(const Json& service) {
  const Json& versions = field(service, "versions");
  if (versions.size() <= 1) return joined(field(service, "nodes"));
  std::string text;
  for (const Json& version : versions) {
    text +=
        (text.empty() ? "" : "; ") + plain(field(version, "schema")) + ": " + joined(field(version, "nodes"));
  }
  return text;
}

}  // namespace

Json node_json(const v1::NodeRecord& record, bool all, const std::vector<std::string>& suspected_by) {
  Json node;
  node["name"] = record.name();
  node["id"] = to_string(NodeId{record.node()});
  node["state"] = state_name(record.state());
  node["address"] = record.endpoints().empty() ? "" : record.endpoints(0);
  Json& services = node["services"] = Json::array();
  // What a node offered before it went is known, so that jobs can wait for it; it offers nothing now.
  for (const v1::ServiceRecord& service : record.services()) {
    if (record.state() == v1::UP && (all || !service.internal())) services.push_back(service.name());
  }
  const std::map<std::string, std::string> labels(record.labels().begin(), record.labels().end());
  node["labels"] = Json::object();
  for (const auto& [key, value] : labels) node["labels"][key] = value;
  const v1::Load& load = record.load();
  node["load"] = {{"shards", load.shards()},   {"pool_threads", load.pool_threads()},
                  {"workers", load.workers()}, {"calls_running", load.calls_running()},
                  {"cpu", load.cpu()},         {"memory_bytes", load.memory_bytes()}};
  const std::map<std::string, std::uint64_t> dead_letters(load.dead_letters().begin(),
                                                          load.dead_letters().end());
  node["load"]["dead_letters"] = Json::object();
  for (const auto& [why, count] : dead_letters) node["load"]["dead_letters"][why] = count;
  node["version"] = record.build();
  node["age_ms"] = record.age_ms();
  node["suspected_by"] = suspected_by;
  node["unconfirmed"] = record.unconfirmed();
  return node;
}

std::vector<OutputColumn> node_columns() {
  const auto text = [](const char* key) {
    return [key](const Json& node) { return plain(field(node, key)); };
  };
  const auto load = [](const char* key) {
    return [key](const Json& node) { return plain(field(field(node, "load"), key)); };
  };
  return {
      {"NAME", text("name")},
      {"STATE", state_text},
      {"ADDRESS", text("address")},
      {"SERVICES", [](const Json& node) { return joined(field(node, "services")); }, false, true},
      {"CALLS", load("calls_running"), true},
      {"WORKERS", load("workers"), true, false, true},
      {"SHARDS", load("shards"), true, false, true},
      {"POOL", load("pool_threads"), true, false, true},
      {"CPU", [](const Json& node) { return cpu_text(field(node, "load")); }, true},
      {"MEMORY", [](const Json& node) { return memory_text(field(node, "load")); }, true},
      {"VERSION", text("version")},
      {"AGE", age_text, true},
      {"LABELS", [](const Json& node) { return labels_text(field(node, "labels")); }, false, true, true},
      {"ID", text("id"), false, false, true},
  };
}

std::vector<std::pair<std::string, std::string>> node_fields(const Json& node) {
  const Json& load = field(node, "load");
  const auto count = [&](const char* key) { return plain(field(load, key)); };
  return {
      {"name", plain(field(node, "name"))},
      {"id", plain(field(node, "id"))},
      {"state", state_text(node)},
      {"suspected by", suspected_text(field(node, "suspected_by"))},
      {"address", plain(field(node, "address"))},
      {"services", joined(field(node, "services"))},
      {"labels", labels_text(field(node, "labels"))},
      {"load", fmt::format("{} calls, {} workers on {} shards, {} pool threads, {} CPU, {}",
                           count("calls_running"), count("workers"), count("shards"), count("pool_threads"),
                           cpu_text(load), memory_text(load))},
      {"dead letters", dead_letters_text(field(load, "dead_letters"))},
      {"version", plain(field(node, "version"))},
      {"age", age_text(node)},
  };
}

std::vector<Json> services_json(const std::vector<v1::NodeRecord>& records, bool all) {
  struct Service {
    bool internal = false;
    std::map<std::string, const v1::MethodRecord*> methods;
    std::set<std::string> nodes;
    std::map<std::string, std::set<std::string>> versions;  // by digest of the schema: the nodes
  };
  std::map<std::string, Service> services;
  for (const v1::NodeRecord& record : records) {
    for (const v1::ServiceRecord& offered : record.services()) {
      if (offered.internal() && !all) continue;
      Service& service = services[offered.name()];
      service.internal = offered.internal();
      service.nodes.insert(record.name());
      service.versions[offered.schema_digest()].insert(record.name());
      for (const v1::MethodRecord& method : offered.methods()) service.methods[method.name()] = &method;
    }
  }
  std::vector<Json> list;
  for (const auto& [name, service] : services) {
    Json object = {
        {"name", name}, {"internal", service.internal}, {"methods", Json::array()}, {"nodes", service.nodes}};
    for (const auto& [full_name, method] : service.methods) {
      object["methods"].push_back({{"name", full_name},
                                   {"input", method->input()},
                                   {"output", method->output()},
                                   {"streaming", method->streaming()},
                                   {"client_streaming", method->client_streaming()}});
    }
    Json& versions = object["versions"] = Json::array();
    for (const auto& [digest, nodes] : service.versions)
      versions.push_back({{"schema", short_digest(digest)}, {"nodes", nodes}});
    list.push_back(std::move(object));
  }
  return list;
}

std::vector<OutputColumn> service_columns() {
  return {
      {"SERVICE", [](const Json& service) { return plain(field(service, "name")); }},
      {"METHODS (* streams)", [](const Json& service) { return method_tails(field(service, "methods")); },
       false, true},
      {"NODES", [](const Json& service) { return std::to_string(field(service, "nodes").size()); }, true},
      {"VERSIONS", [](const Json& service) { return std::to_string(field(service, "versions").size()); },
       true},
      {"ON", nodes_by_version, false, true, true},
  };
}

}  // namespace cobus::client
