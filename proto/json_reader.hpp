// SPDX-License-Identifier: Apache-2.0
//
// JsonReader: makes a message of JSON that a person wrote, and says in their terms what is wrong with it:
// line and column, the field, what it takes, the name probably meant. Stands in place of the JSON of
// libprotobuf 3.21, whose errors name neither field nor place and which takes some wrong values in silence
// (keys of a map that meet, whole numbers that a double does not hold). Pure function.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "proto/status.hpp"

namespace cobus {

// An empty message of the type with this full name, for what a google.protobuf.Any holds; null when no such
// type is known.
using NewMessage = std::function<std::unique_ptr<google::protobuf::Message>(const std::string& name)>;

// Fields by their name in the .proto or in lowerCamelCase. INVALID_ARGUMENT when `json` is malformed, has a
// field that the type lacks, a value that a field does not take, lacks a required field, or nests deeper than
// a receiver parses; `into` is then of no use. A detail of that error names an Any's type that is not known.
[[nodiscard]] Status read_json(std::string_view json, const NewMessage& new_message,
                               google::protobuf::Message& into);

// The key of that detail.
inline constexpr const char* unknown_type_detail = "unknown_type";
// Messages within one another that protobuf's parsers take, entries of maps counted.
inline constexpr int message_depth_max = 100;

}  // namespace cobus
