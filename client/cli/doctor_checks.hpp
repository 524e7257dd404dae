// SPDX-License-Identifier: Apache-2.0
//
// DoctorChecks: what cobus doctor makes of all that it saw: findings, each with a code that stays, what it is
// about, the cause and the mend. Decides only: what was seen is given to it.
#pragma once

#include <cobus/v1/admin.pb.h>
#include <cobus/v1/directory.pb.h>
#include <cobus/v1/inspect.pb.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/json.hpp"
#include "client/cli/output.hpp"
#include "client/session.hpp"

namespace cobus::client {

struct Finding {
  std::string code;
  std::string object;
  std::string cause;
  std::string mend;
};

// What was seen of one node.
struct Examined {
  v1::NodeRecord record;
  std::optional<v1::HealthReply> health;
  Status trouble;             // why there is none
  std::int64_t asked_us = 0;  // Unix microseconds of our clock
  std::int64_t answered_us = 0;
  v1::ReachReply reached;  // with --mesh
};

// Whether the node answered that it does not let itself be looked into, and does not offer to: one in another
// language, perhaps. It reached us, and its build is none of ours.
[[nodiscard]] bool is_foreign(const Examined& node);

// Files of this user below `state`: D001.
[[nodiscard]] std::vector<Finding> check_files(const std::filesystem::path& state);
// D002, D003.
[[nodiscard]] std::vector<Finding> check_brokers(const std::vector<Session::Broker>& brokers,
                                                 std::string_view own_build);
// D004 to D011, D014 and D016, and D013 when there is none.
[[nodiscard]] std::vector<Finding> check_nodes(const std::vector<Examined>& nodes, std::string_view own_build,
                                               std::int64_t now_s);
// D015: who is lost, and not among `nodes`, by what the brokers remember.
[[nodiscard]] std::vector<Finding> check_lost(const std::vector<v1::LostReply>& lost,
                                              const std::vector<Examined>& nodes);
// D012.
[[nodiscard]] std::vector<Finding> check_mesh(const std::vector<Examined>& nodes);
// A certificate that should have been renewed: D007. `object` is whose.
[[nodiscard]] std::vector<Finding> check_validity(const std::string& object, std::int64_t from_s,
                                                  std::int64_t until_s, std::int64_t now_s);

// {"code","object","cause","mend"}
[[nodiscard]] Json finding_json(const Finding& finding);
[[nodiscard]] std::vector<OutputColumn> finding_columns();

}  // namespace cobus::client
