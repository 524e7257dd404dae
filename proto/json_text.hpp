// SPDX-License-Identifier: Apache-2.0
//
// JsonText: JSON text, as a person or a program wrote it, to a tree of values. It adds to the JSON library
// what that leaves out: the place of an error, names given twice, a bound on depth, and whole numbers that
// are kept exactly. Used by JsonReader. Pure functions.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "proto/status.hpp"

namespace cobus {

// Arrays and objects within one another, in JSON that is read and in JSON that is written.
constexpr int json_depth_max = 100;

// The tree of `json`, which is meant to be a message of type `type` (for errors only). A number is an integer
// when it denotes a whole one of at most 64 bits, however it is written ("1e3", "2.0"); see also is_wide().
// INVALID_ARGUMENT with line and column for text that is empty, not UTF-8 or malformed, that nests deeper
// than json_depth_max, gives a name twice in one object, or holds a number outside the range of a double.
[[nodiscard]] Result<nlohmann::json> parse_json(const std::string& type, std::string_view json);

// Whether `value` is a whole number of more than 64 bits, written out. wide_digits() are its digits.
[[nodiscard]] inline bool is_wide(const nlohmann::json& value) noexcept { return value.is_binary(); }
[[nodiscard]] std::string wide_digits(const nlohmann::json& value);

// 'text' in quotation marks, cut off where it is long.
[[nodiscard]] std::string in_quotes(std::string_view text);
// "the string \"abc\"", "the number 5", "an object".
[[nodiscard]] std::string described(const nlohmann::json& value);

}  // namespace cobus
