// SPDX-License-Identifier: Apache-2.0
//
// How a tree of workers is shown: nested JSON for scripts, lines with branches for people. Pure.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include <string>
#include <vector>

#include "client/cli/json.hpp"

namespace cobus::client {

// {"node","workers","left_out","children":[{"address","kind","name","count","state",...,"children":[...]}]}
[[nodiscard]] Json tree_json(const std::string& node, const v1::TreeReply& reply);

// The same as a drawing, the node on top. `unicode`: with lines, else with what every terminal has.
[[nodiscard]] std::vector<std::string> tree_lines(const std::string& node, const v1::TreeReply& reply,
                                                  bool unicode);

}  // namespace cobus::client
