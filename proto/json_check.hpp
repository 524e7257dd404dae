// SPDX-License-Identifier: Apache-2.0
//
// JsonCheck: finds what is wrong with JSON that a person wrote for a message, and says it in their
// terms: line and column, the field, what it takes, the name probably meant. The conversion itself is
// protobuf's, whose own errors name neither field nor place. Pure functions.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string_view>

#include "proto/status.hpp"

namespace cobus {

// OK when `json` is well-formed UTF-8 JSON whose fields `type` has, with values they take. Well-known
// types (google.protobuf.Timestamp and so on) are left to the conversion. INVALID_ARGUMENT otherwise.
[[nodiscard]] Status check_json(const google::protobuf::Descriptor* type, std::string_view json);

}  // namespace cobus
