// SPDX-License-Identifier: Apache-2.0
#include "client/cli/worker_tree_json.hpp"

#include <fmt/format.h>

#include "client/cli/terminal.hpp"
#include "client/cli/worker_json.hpp"
#include "proto/address.hpp"

namespace cobus::client {
namespace {

std::string address_of(const std::string& node, const v1::TreeLine& line) {
  if (line.worker() == 0) return "";
  const std::string worker = '/' + to_string(WorkerId{line.worker()});
  if (line.node() == 0) return node + worker;
  return (line.node_name().empty() ? to_string(NodeId{line.node()}) : line.node_name()) + worker;
}

Json line_json(const std::string& node, const v1::TreeLine& line) {
  Json json;
  json["address"] = line.worker() == 0 ? Json() : Json(address_of(node, line));
  json["kind"] = line.kind();
  json["name"] = line.name().empty() ? Json() : Json(line.name());
  json["count"] = line.count();
  json["state"] = line.worker() == 0 || line.node() != 0 ? Json() : Json(worker_state_name(line.state()));
  json["child"] = line.child().empty() ? Json() : Json(line.child());
  json["restarts"] = line.restarts();
  json["supervises"] = supervision_json(line.supervision());
  json["children"] = Json::array();
  return json;
}

// Those from line `at` on that lie `depth` deep, with all below them; `at` is then behind them.
Json children(const std::string& node, const v1::TreeReply& reply, std::uint32_t depth, int& at) {
  Json list = Json::array();
  while (at < reply.lines_size() && reply.lines(at).depth() >= depth) {
    Json json = line_json(node, reply.lines(at++));
    json["children"] = children(node, reply, depth + 1, at);
    list.push_back(std::move(json));
  }
  return list;
}

std::string line_text(const std::string& node, const v1::TreeLine& line, const char* times) {
  if (line.worker() == 0) return fmt::format("{} {} {}", line.count(), times, line.kind());
  std::string text = line.child().empty() ? "" : line.child() + ": ";
  text += line.node() != 0 ? "at " : line.kind() + "  ";
  text += address_of(node, line);
  if (!line.name().empty()) text += "  '" + line.name() + '\'';
  if (!line.supervision().strategy().empty())
    text += "  supervises " + supervision_text(supervision_json(line.supervision()));
  if (line.restarts() > 0)
    text += fmt::format("  started again {}",
                        line.restarts() == 1 ? "once" : fmt::format("{} times", line.restarts()));
  return text;
}

}  // namespace

Json tree_json(const std::string& node, const v1::TreeReply& reply) {
  int at = 0;
  Json json;
  json["node"] = node;
  json["workers"] = reply.workers();
  json["left_out"] = reply.left_out();
  json["children"] = children(node, reply, 0, at);
  return json;
}

std::vector<std::string> tree_lines(const std::string& node, const v1::TreeReply& reply, bool unicode) {
  const char* const down = unicode ? "│  " : "|  ";
  const char* const branch = unicode ? "├─ " : "|- ";
  const char* const last = unicode ? "└─ " : "`- ";
  const int count = reply.lines_size();
  // Whether another line of the same parent follows, found from the end.
  std::vector<bool> more_follow(static_cast<std::size_t>(count));
  std::vector<bool> seen;
  for (int i = count - 1; i >= 0; --i) {
    const std::size_t depth = reply.lines(i).depth();
    seen.resize(depth + 1);
    more_follow[static_cast<std::size_t>(i)] = seen[depth];
    seen[depth] = true;
  }
  std::vector<std::string> lines = {
      fmt::format("{}  {} worker{}", node, reply.workers(), reply.workers() == 1 ? "" : "s")};
  std::vector<bool> open;  // of each depth: its line goes on below
  for (int i = 0; i < count; ++i) {
    const v1::TreeLine& line = reply.lines(i);
    open.resize(line.depth());
    std::string text;
    for (const bool goes_on : open) text += goes_on ? down : "   ";
    const bool more = more_follow[static_cast<std::size_t>(i)];
    text += more ? branch : last;
    open.push_back(more);
    lines.push_back(text + printable(line_text(node, line, unicode ? "×" : "x")));
  }
  if (reply.left_out() > 0)
    lines.push_back(fmt::format("and {} worker{} more", reply.left_out(), reply.left_out() == 1 ? "" : "s"));
  return lines;
}

}  // namespace cobus::client
