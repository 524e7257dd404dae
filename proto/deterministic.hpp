// SPDX-License-Identifier: Apache-2.0
//
// Equal bytes for equal messages of one process and its peers: entries of maps in the order of their keys.
// Required fields may be missing. Pure function.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace cobus {

[[nodiscard]] std::string deterministic_bytes(const google::protobuf::Message& message);

}  // namespace cobus
