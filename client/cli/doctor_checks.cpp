// SPDX-License-Identifier: Apache-2.0
#include "client/cli/doctor_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "client/cli/units.hpp"
#include "node/link/access.hpp"
#include "node/link/identity.hpp"

namespace cobus::client {
namespace {

constexpr std::int64_t clock_off_us_max = 2'000'000;
constexpr std::int64_t expires_soon_s = 14 * 86'400;
constexpr std::uint64_t descriptors_min = 1024;

std::string name_of(const Examined& node) { return "node " + node.record.name(); }

// "tcp://127.0.0.1:7000" -> "127.0.0.1", "tcp://[::1]:7000" -> "::1"
std::string host_of(const std::string& endpoint) {
  std::string host = endpoint.substr(endpoint.find("//") == std::string::npos ? 0 : endpoint.find("//") + 2);
  host = host.substr(0, host.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

bool only_loopback(const v1::NodeRecord& record) {
  return record.endpoints_size() > 0 && std::ranges::all_of(record.endpoints(), [](const std::string& each) {
           return link::is_loopback(host_of(each));
         });
}

// How far its clock is ahead of ours, at least: the answer was written between question and arrival.
std::int64_t ahead_us(const Examined& node) {
  const std::int64_t now_us = node.health->now_us();
  if (now_us > node.answered_us) return now_us - node.answered_us;
  return now_us < node.asked_us ? now_us - node.asked_us : 0;
}

std::string seconds_text(std::int64_t us) {
  return fmt::format("{:.1f} s", static_cast<double>(us < 0 ? -us : us) / 1e6);
}

void check_health(const Examined& node, std::int64_t now_s, std::vector<Finding>& findings) {
  const v1::HealthReply& health = *node.health;
  const std::string object = name_of(node);
  if (const std::int64_t off = ahead_us(node); std::max(off, -off) > clock_off_us_max) {
    findings.push_back(
        {"D006", object,
         fmt::format("its clock is {} {} ours", seconds_text(off), off > 0 ? "ahead of" : "behind"),
         "set both clocks, with NTP say: certificates and leases go by them"});
  }
  std::ranges::copy(check_validity(object, health.certificate_from(), health.certificate_until(), now_s),
                    std::back_inserter(findings));
  if (!health.certificate_trouble().empty()) {
    findings.push_back({"D016", object,
                        fmt::format("its certificate, good for {} more, will not be renewed: {}",
                                    short_duration(std::chrono::seconds(
                                        std::max<std::int64_t>(0, health.certificate_until() - now_s))),
                                    health.certificate_trouble()),
                        "see its log and those of the brokers; a restart of the node makes it try again"});
  }
  if (!health.ledger_trouble().empty()) {
    findings.push_back({"D008", object, "its ledger may lose jobs: " + health.ledger_trouble(),
                        "give it a --state on a disk that lasts and has room"});
  }
  const bool nearly = health.descriptors() * 5 > health.descriptors_max() * 4;
  if (nearly || health.descriptors_max() < descriptors_min) {
    findings.push_back(
        {"D009", object,
         fmt::format("{} of {} file descriptors are in use", health.descriptors(), health.descriptors_max()),
         "raise the limit of open files before it starts: ulimit -n, LimitNOFILE="});
  }
  if (health.log_lines_dropped() > 0) {
    findings.push_back({"D014", object,
                        fmt::format("{} lines of its log were dropped since it started: whoever reads its "
                                    "stderr does not keep up",
                                    health.log_lines_dropped()),
                        "mend the reader of its stderr, or start it with a higher --log-level"});
  }
}

void check_record(const Examined& node, std::string_view own_build, std::vector<Finding>& findings) {
  const v1::NodeRecord& record = node.record;
  if (record.build() != own_build && !is_foreign(node)) {
    findings.push_back({"D005", name_of(node),
                        fmt::format("it runs {}, and this is {}", record.build(), own_build),
                        "upgrade the older one; one release apart works"});
  }
  std::uint64_t total = 0;
  std::string reasons;
  for (const auto& [reason, count] : std::map<std::string, std::uint64_t>(
           record.load().dead_letters().begin(), record.load().dead_letters().end())) {
    if (reason == "late") continue;  // its caller has left, or was told that time ran out
    total += count;
    reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", count, reason);
  }
  if (total > 0) {
    findings.push_back({"D010", name_of(node), fmt::format("{} messages reached nobody ({})", total, reasons),
                        "its log names sender, receiver and type of each: look for 'dead letter' there"});
  }
}

}  // namespace

bool is_foreign(const Examined& node) {
  if (node.health || node.trouble.code() != Code::unimplemented) return false;
  return std::ranges::none_of(node.record.services(), [](const v1::ServiceRecord& service) {
    return service.name() == "cobus.v1.Inspect";
  });
}

std::vector<Finding> check_lost(const std::vector<v1::LostReply>& lost, const std::vector<Examined>& nodes) {
  std::map<std::string, v1::LostNode> last;  // by name; the one that a broker lost last
  for (const v1::LostReply& reply : lost) {
    for (const v1::LostNode& node : reply.nodes()) {
      const auto [at, is_new] = last.try_emplace(node.name(), node);
      if (!is_new && node.ago_ms() < at->second.ago_ms()) at->second = node;
    }
  }
  for (const Examined& node : nodes) last.erase(node.record.name());
  std::vector<Finding> findings;
  for (const auto& [name, node] : last) {
    findings.push_back(
        {"D015", "node " + name,
         fmt::format("it was lost {} ago: {}", short_duration(std::chrono::milliseconds(node.ago_ms())),
                     node.reason()),
         "look at its host and its log why, and start it again; it is named here for an hour"});
  }
  return findings;
}

std::vector<Finding> check_files(const std::filesystem::path& state) {
  std::vector<Finding> findings;
  const auto complain = [&](const std::filesystem::path& path, const Status& why, const std::string& mend) {
    findings.push_back({"D001", path.string(), why.message(), mend});
  };
  const Status folder = link::check_private_folder(state);
  if (!folder.ok()) complain(state, folder, "chmod 700 " + state.string());
  for (const char* name : {"join/admin", "join/submit", "join/observe", "join/node", "client/join",
                           "client/curve.key", "client/certificate"}) {
    const std::filesystem::path file = state / name;
    auto text = link::read_private_file(file);
    if (text) link::wipe(*text);
    if (text || text.error().code() == Code::not_found) continue;
    complain(file, text.error(),
             text.error().code() == Code::permission_denied
                 ? "chmod 600 " + file.string() + ", and chmod 700 its folder"
                 : "restore it, or remove it and join again");
  }
  return findings;
}

std::vector<Finding> check_brokers(const std::vector<Session::Broker>& brokers, std::string_view own_build) {
  std::vector<Finding> findings;
  for (const Session::Broker& broker : brokers) {
    const std::string object = "broker " + broker.address;
    if (broker.node == NodeId::none) {
      findings.push_back({"D002", object, "it does not answer: " + broker.trouble.message(),
                          "start it, or take it out of the join string"});
    } else if (broker.build != own_build) {
      findings.push_back({"D003", object, fmt::format("it runs {}, and this is {}", broker.build, own_build),
                          "upgrade the older one; one release apart works"});
    }
  }
  return findings;
}

std::vector<Finding> check_validity(const std::string& object, std::int64_t from_s, std::int64_t until_s,
                                    std::int64_t now_s) {
  if (until_s == 0) return {};
  const std::int64_t left_s = until_s - now_s;
  // One of few days is renewed when a third of them is left.
  if (left_s >= std::min(expires_soon_s, (until_s - from_s) / 3)) return {};
  const std::string when =
      left_s <= 0 ? "has expired" : "expires in " + short_duration(std::chrono::seconds(left_s));
  return {{"D007", object, fmt::format("its certificate {} and was not renewed", when),
           "look into its log and that of the brokers why; or join again with a new token"}};
}

std::vector<Finding> check_nodes(const std::vector<Examined>& nodes, std::string_view own_build,
                                 std::int64_t now_s) {
  std::vector<Finding> findings;
  if (nodes.empty()) findings.push_back({"D013", "cluster", "no node is up", "start one: cobus-node"});
  const bool elsewhere =
      std::ranges::any_of(nodes, [](const Examined& node) { return !only_loopback(node.record); });
  for (const Examined& node : nodes) {
    if (node.health) {
      check_health(node, now_s, findings);
    } else if (!is_foreign(node)) {
      findings.push_back({"D004", name_of(node), "it does not answer from here: " + node.trouble.message(),
                          "see whether its process lives, and whether a firewall is between"});
    }
    check_record(node, own_build, findings);
    if (elsewhere && only_loopback(node.record)) {
      findings.push_back(
          {"D011", name_of(node),
           fmt::format("it can be dialled at {} only, from its own host", node.record.endpoints(0)),
           "start it with --listen tcp://0.0.0.0:0, or --advertise what others dial"});
    }
  }
  return findings;
}

std::vector<Finding> check_mesh(const std::vector<Examined>& nodes) {
  std::vector<Finding> findings;
  std::map<std::uint64_t, std::string> names;
  for (const Examined& node : nodes) names[node.record.node()] = node.record.name();
  for (const Examined& from : nodes) {
    for (const v1::Reached& to : from.reached.nodes()) {
      const bool answered = to.code() == 0 || to.code() == static_cast<std::int32_t>(Code::unimplemented);
      if (answered || !names.contains(to.node())) continue;
      findings.push_back({"D012", fmt::format("{} -> {}", from.record.name(), names.at(to.node())),
                          "no answer: " + to.message(),
                          "let TCP connections pass between the two hosts, in both directions"});
    }
  }
  return findings;
}

Json finding_json(const Finding& finding) {
  return {
      {"code", finding.code}, {"object", finding.object}, {"cause", finding.cause}, {"mend", finding.mend}};
}

std::vector<OutputColumn> finding_columns() {
  const auto text = [](const char* key) {
    return [key](const Json& object) { return plain(field(object, key)); };
  };
  return {
      {"CODE", text("code")}, {"OBJECT", text("object")}, {"CAUSE", text("cause")}, {"MEND", text("mend")}};
}

}  // namespace cobus::client
