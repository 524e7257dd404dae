// SPDX-License-Identifier: Apache-2.0
#include "client/cli/known_homes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "client/cli/units.hpp"
#include "node/link/identity.hpp"

namespace cobus::client {
namespace {

constexpr std::string_view jobs_service = "cobus.v1.Jobs";
constexpr std::int64_t remembered_us = 7LL * 24 * 3600 * 1'000'000;
constexpr std::int64_t written_again_us = 60'000'000;  // what was seen is kept to the minute

using Seen = std::map<std::string, std::int64_t>;

// First the cluster's line, then "MICROSECONDS NAME" for each.
Seen parse(const std::string& text, const std::string& cluster) {
  Seen seen;
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line + '\n' != cluster) return seen;
  std::int64_t at = 0;
  for (std::string name; lines >> at >> name;) seen[name] = at;
  return seen;
}

}  // namespace

std::vector<v1::NodeRecord> homes_of_jobs(const View& view) {
  std::vector<v1::NodeRecord> homes = view.nodes();
  std::erase_if(homes, [](const v1::NodeRecord& node) {
    return std::none_of(node.services().begin(), node.services().end(),
                        [](const v1::ServiceRecord& service) { return service.name() == jobs_service; });
  });
  return homes;
}

std::vector<KnownHomes::Home> KnownHomes::update(const std::vector<std::string>& here, std::int64_t now_us) {
  const std::string cluster = link::read_private_file(folder_ / "cluster.pub").value_or("\n");
  Seen seen = parse(link::read_private_file(folder_ / "homes").value_or(""), cluster);
  bool changed = std::erase_if(seen, [now_us](const auto& home) {
                   return home.second < now_us - remembered_us || home.second > now_us;
                 }) > 0;
  for (const std::string& name : here) {
    std::int64_t& at = seen[name];
    changed = changed || now_us - at > written_again_us;
    at = now_us;
  }
  if (changed) {
    std::string text = cluster;
    for (const auto& [name, at] : seen) text += fmt::format("{} {}\n", at, name);
    static_cast<void>(link::write_private_file(folder_ / "homes", text));
  }
  std::vector<Home> away;
  for (const auto& [name, at] : seen) {
    if (std::find(here.begin(), here.end(), name) == here.end()) away.push_back({name, at});
  }
  return away;
}

std::vector<std::string> homes_away(const Context& context, const View& view) {
  std::vector<std::string> here;
  for (const v1::NodeRecord& node : homes_of_jobs(view)) here.push_back(node.name());
  const std::int64_t now_us = system_clock().unix_us();
  std::vector<std::string> away;
  for (const auto& home :
       KnownHomes(link::state_folder(context.globals.text("state")) / "client").update(here, now_us)) {
    away.push_back(fmt::format("{} (seen {} ago)", home.name,
                               short_duration(std::chrono::microseconds(now_us - home.seen_us))));
  }
  return away;
}

}  // namespace cobus::client
