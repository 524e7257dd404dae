// SPDX-License-Identifier: Apache-2.0
#include "client/cli/worker_json.hpp"

#include <fmt/format.h>

#include <chrono>

#include "client/cli/units.hpp"
#include "proto/address.hpp"

namespace cobus::client {
namespace {

using std::chrono::microseconds;

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

std::string number(const Json& object, const char* key) { return plain(field(object, key)); }

std::uint64_t amount(const Json& object, const char* key) {
  const Json& value = field(object, key);
  return value.is_number() ? value.get<std::uint64_t>() : 0;
}

std::string duration_text(const Json& object, const char* key) {
  return short_duration(microseconds(amount(object, key)));
}

Json peer_json(const v1::Peer& peer) {
  Json json;
  json["address"] =
      peer.worker() == 0 ? peer.node_name() : peer.node_name() + '/' + to_string(WorkerId{peer.worker()});
  json["kind"] = text_or_null(peer.kind());
  json["ended"] = peer.ended();
  return json;
}

template <class Peers>
Json peers_json(const Peers& peers) {
  Json list = Json::array();
  for (const v1::Peer& peer : peers) list.push_back(peer_json(peer));
  return list;
}

std::string peer_text(const Json& peer) {
  if (peer.is_null()) return {};
  const std::string kind = plain(field(peer, "kind"));
  const std::string more = field(peer, "ended") == Json(true) ? "ended" : kind;
  return plain(field(peer, "address")) + (more.empty() ? "" : " (" + more + ')');
}

std::string peers_text(const Json& worker, const char* list, const char* count) {
  std::string text;
  for (const Json& peer : field(worker, list)) text += (text.empty() ? "" : ", ") + peer_text(peer);
  const std::uint64_t more = amount(worker, count) - field(worker, list).size();
  return more == 0 ? text : fmt::format("{} and {} more", text, more);
}

Json awaits_json(const v1::AwaitChain& chain) {
  Json list = Json::array();
  for (const v1::Await& await : chain.awaits()) {
    list.push_back({{"file", await.file()},
                    {"line", await.line()},
                    {"function", await.function()},
                    {"age_us", await.age_us()},
                    {"waits_for", text_or_null(await.waits_for())}});
  }
  return list;
}

std::string handles_text(const Json& call) {
  if (call.is_null()) return {};
  std::string text = plain(field(call, "method")) + " for " + plain(field(call, "caller_name"));
  if (const std::string from = peer_text(field(call, "caller")); from != plain(field(call, "caller_name")))
    text += " at " + from;
  const Json& left = field(call, "time_left_us");
  if (left.is_null()) return text + ", for as long as it takes";
  const auto left_us = left.get<std::int64_t>();
  return text + (left_us < 0 ? ", late by " : ", time left ") +
         short_duration(microseconds(std::abs(left_us)));
}

std::string asks_text(const Json& asks) {
  std::string text;
  for (const Json& call : asks)
    text += (text.empty() ? "" : ", ") + number(call, "method") + " at " + number(call, "node");
  return text;
}

std::string mailbox_text(const Json& worker) {
  return fmt::format("{} of {} messages, {} of {}; what finds no room: {}",
                     number(worker, "mailbox_messages"), number(worker, "mailbox_messages_max"),
                     short_size(amount(worker, "mailbox_bytes")),
                     short_size(amount(worker, "mailbox_bytes_max")), number(worker, "overflow"));
}

void add_chain(Table& table, const Json& awaits) {
  for (const Json& await : awaits) {
    table.add({duration_text(await, "age_us"), number(await, "file") + ':' + number(await, "line"),
               number(await, "function"), number(await, "waits_for")});
  }
}

}  // namespace

std::string worker_state_name(v1::WorkerState state) {
  switch (state) {
    case v1::WORKER_STARTING:
      return "starting";
    case v1::WORKER_READY:
      return "ready";
    case v1::WORKER_RECEIVING:
      return "receiving";
    case v1::WORKER_WAITING:
      return "waiting";
    case v1::WORKER_STOPPING:
      return "stopping";
    case v1::WORKER_ACTIVE:
      return "running";
    default:
      return "unknown";
  }
}

Json worker_row_json(const std::string& node, const v1::WorkerRow& row, std::uint64_t window_us) {
  Json json;
  json["address"] = node + '/' + to_string(WorkerId{row.worker()});
  json["node"] = node;
  json["kind"] = row.kind();
  json["name"] = text_or_null(row.name());
  json["state"] = worker_state_name(row.state());
  json["mailbox_messages"] = row.mailbox_messages();
  json["mailbox_bytes"] = row.mailbox_bytes();
  json["messages"] = row.received();
  const double window = static_cast<double>(window_us);
  json["messages_per_second"] =
      window_us == 0 ? Json() : Json(static_cast<double>(row.received_in_window()) * 1e6 / window);
  json["cpu"] = window_us == 0 ? Json() : Json(static_cast<double>(row.cpu_us_in_window()) / window);
  json["cpu_us"] = row.cpu_us();
  json["memory_bytes"] = row.memory_bytes();
  return json;
}

std::vector<OutputColumn> worker_columns() {
  const auto text = [](const char* key) {
    return [key](const Json& worker) { return plain(field(worker, key)); };
  };
  const auto size = [](const char* key) {
    return [key](const Json& worker) { return short_size(amount(worker, key)); };
  };
  const auto rate = [](const Json& worker) {
    const Json& value = field(worker, "messages_per_second");
    return value.is_number() ? short_count(value.get<double>()) : std::string();
  };
  const auto cpu = [](const Json& worker) {
    const Json& value = field(worker, "cpu");
    return value.is_number() ? fmt::format("{:.0f}%", value.get<double>() * 100) : std::string();
  };
  return {
      {"ADDRESS", text("address")},
      {"KIND", text("kind"), false, true},
      {"NAME", text("name"), false, true},
      {"STATE", text("state")},
      {"MAILBOX", text("mailbox_messages"), true},
      {"BYTES", size("mailbox_bytes"), true, false, true},
      {"MESSAGES",
       [](const Json& worker) { return short_count(static_cast<double>(amount(worker, "messages"))); }, true},
      {"MSG/S", rate, true},
      {"CPU", cpu, true},
      {"CPU TIME", [](const Json& worker) { return duration_text(worker, "cpu_us"); }, true, false, true},
      {"MEMORY", size("memory_bytes"), true},
      {"NODE", text("node"), false, false, true},
  };
}

Json supervision_json(const v1::Supervision& supervision) {
  if (supervision.strategy().empty()) return {};
  return {{"strategy", supervision.strategy()},
          {"restarts", supervision.restarts()},
          {"intensity", supervision.intensity()},
          {"period_us", supervision.period_us()}};
}

std::string supervision_text(const Json& supervision) {
  if (supervision.is_null()) return {};
  const std::uint64_t restarts = amount(supervision, "restarts");
  return fmt::format("{}, {} restart{}, ends above {} in {}", number(supervision, "strategy"), restarts,
                     restarts == 1 ? "" : "s", number(supervision, "intensity"),
                     duration_text(supervision, "period_us"));
}

Json worker_json(const std::string& node, const v1::ShowReply& reply) {
  Json json = worker_row_json(node, reply.row(), 0);
  json.erase("messages_per_second");
  json.erase("cpu");
  json["mailbox_messages_max"] = reply.mailbox_messages_max();
  json["mailbox_bytes_max"] = reply.mailbox_bytes_max();
  json["overflow"] = reply.overflow();
  json["spawned_by"] = reply.has_spawned_by() ? peer_json(reply.spawned_by()) : Json();
  json["traps_exits"] = reply.traps_exits();
  json["monitors"] = peers_json(reply.monitors());
  json["monitors_count"] = reply.monitors_count();
  json["watchers"] = peers_json(reply.watchers());
  json["watchers_count"] = reply.watchers_count();
  json["links"] = peers_json(reply.links());
  json["links_count"] = reply.links_count();
  json["handles"] = Json();
  if (const v1::HandledCall& call = reply.handles(); reply.has_handles()) {
    json["handles"] = {{"method", call.method()},
                       {"caller", peer_json(call.caller())},
                       {"caller_name", call.caller_name()},
                       {"time_left_us", call.has_deadline() ? Json(call.time_left_us()) : Json()}};
  }
  json["asks"] = Json::array();
  for (const v1::AskedCall& call : reply.asks())
    json["asks"].push_back({{"method", call.method()}, {"node", call.callee().node_name()}});
  json["supervises"] = supervision_json(reply.supervision());
  json["awaits"] = reply.chains().empty() ? Json::array() : awaits_json(reply.chains(0));
  json["side_by_side"] = Json::array();
  for (int i = 1; i < reply.chains_size(); ++i)
    json["side_by_side"].push_back(
        {{"label", reply.chains(i).label()}, {"awaits", awaits_json(reply.chains(i))}});
  json["side_by_side_left_out"] = reply.chains_left_out();
  return json;
}

std::vector<std::pair<std::string, std::string>> worker_fields(const Json& worker) {
  return {
      {"address", number(worker, "address")},
      {"kind", number(worker, "kind")},
      {"name", number(worker, "name")},
      {"state", number(worker, "state")},
      {"mailbox", mailbox_text(worker)},
      {"messages", number(worker, "messages")},
      {"cpu time", duration_text(worker, "cpu_us")},
      {"memory", short_size(amount(worker, "memory_bytes"))},
      {"spawned by",
       field(worker, "spawned_by").is_null() ? "the node" : peer_text(field(worker, "spawned_by"))},
      {"handles", handles_text(field(worker, "handles"))},
      {"asks", asks_text(field(worker, "asks"))},
      {"supervises", supervision_text(field(worker, "supervises"))},
      {"traps exits", field(worker, "traps_exits") == Json(true) ? "yes" : ""},
      {"monitors", peers_text(worker, "monitors", "monitors_count")},
      {"watched by", peers_text(worker, "watchers", "watchers_count")},
      {"linked to", peers_text(worker, "links", "links_count")},
  };
}

std::vector<std::string> await_lines(const Json& worker, std::size_t columns) {
  Table table({{"AGE", true}, {"STANDS AT"}, {"IN", false, true}, {"WAITS FOR", false, true}});
  add_chain(table, field(worker, "awaits"));
  for (const Json& chain : field(worker, "side_by_side")) {
    table.add({"", plain(field(chain, "label")) + ":"});
    add_chain(table, field(chain, "awaits"));
  }
  std::vector<std::string> lines;
  if (table.rows() > 0) lines = table.lines(columns);
  if (const std::uint64_t more = amount(worker, "side_by_side_left_out"); more > 0)
    lines.push_back(fmt::format("and {} more side by side", more));
  return lines;
}

}  // namespace cobus::client
