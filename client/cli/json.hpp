// SPDX-License-Identifier: Apache-2.0
//
// Json: the value that every verb hands to the output, with its fields in the order of the contract.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace cobus::client {

using Json = nlohmann::ordered_json;

// On one line. Text that is not UTF-8 is repaired, never an exception; nothing in it can drive a terminal.
[[nodiscard]] std::string one_line(const Json& value);
[[nodiscard]] std::string indented(const Json& value);
// Block style, with a line end after each line.
[[nodiscard]] std::string to_yaml(const Json& value);

// Text of a value for a table: a string as it is, null as nothing, the rest as JSON.
[[nodiscard]] std::string plain(const Json& value);
// `object[key]`, null when it has none.
[[nodiscard]] const Json& field(const Json& object, std::string_view key);

}  // namespace cobus::client
