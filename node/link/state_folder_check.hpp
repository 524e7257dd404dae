// SPDX-License-Identifier: Apache-2.0
//
// Whether this user has a state folder at all: keys, tokens and ledgers never go to wherever a program was
// started.
#pragma once

#include <string>

#include "proto/status.hpp"

namespace cobus::link {

// Before state_folder(flag) is used. FAILED_PRECONDITION, naming HOME, COBUS_STATE and --state, for a user
// other than root who has none of them and no home folder in the passwd database. Reads the environment only.
[[nodiscard]] Status check_state_folder(const std::string& flag);

}  // namespace cobus::link
