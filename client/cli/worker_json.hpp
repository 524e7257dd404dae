// SPDX-License-Identifier: Apache-2.0
//
// How workers are shown: their JSON, as scripts rely on it, and what people see of it.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include <string>
#include <utility>
#include <vector>

#include "client/cli/json.hpp"
#include "client/cli/output.hpp"

namespace cobus::client {

[[nodiscard]] std::string worker_state_name(v1::WorkerState state);

// One of `cobus ps`. `window_us` 0: without rates.
[[nodiscard]] Json worker_row_json(const std::string& node, const v1::WorkerRow& row,
                                   std::uint64_t window_us);
[[nodiscard]] std::vector<OutputColumn> worker_columns();

// `cobus worker`.
[[nodiscard]] Json worker_json(const std::string& node, const v1::ShowReply& reply);
[[nodiscard]] std::vector<std::pair<std::string, std::string>> worker_fields(const Json& worker);
// Where its coroutines stand, as lines for people.
[[nodiscard]] std::vector<std::string> await_lines(const Json& worker, std::size_t columns);

// "one_for_one, 3 restarts, ends above 1 in 5s"
[[nodiscard]] std::string supervision_text(const Json& supervision);
[[nodiscard]] Json supervision_json(const v1::Supervision& supervision);

}  // namespace cobus::client
