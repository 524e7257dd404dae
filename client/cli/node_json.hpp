// SPDX-License-Identifier: Apache-2.0
//
// How nodes and services are shown: their JSON, as scripts rely on it, and the columns of their tables.
#pragma once

#include <cobus/v1/directory.pb.h>

#include <vector>

#include "client/cli/json.hpp"
#include "client/cli/output.hpp"

namespace cobus::client {

// With `all`, services of cobus itself too. `suspected_by`: the brokers that hear nothing from it just now.
[[nodiscard]] Json node_json(const v1::NodeRecord& record, bool all,
                             const std::vector<std::string>& suspected_by = {});
[[nodiscard]] std::vector<OutputColumn> node_columns();
[[nodiscard]] std::vector<std::pair<std::string, std::string>> node_fields(const Json& node);

// One object a service: {"name","internal","methods":[{"name","input","output","streaming"}],"nodes":[..]}.
[[nodiscard]] std::vector<Json> services_json(const std::vector<v1::NodeRecord>& records, bool all);
[[nodiscard]] std::vector<OutputColumn> service_columns();

}  // namespace cobus::client
