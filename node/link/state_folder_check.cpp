// SPDX-License-Identifier: Apache-2.0
#include "node/link/state_folder_check.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "node/link/identity.hpp"

namespace cobus::link {

Status check_state_folder(const std::string& flag) {
  // What a user names may be relative to the working folder; what state_folder() derives never is.
  const bool named = !flag.empty() || [] {
    const char* state = std::getenv("COBUS_STATE");
    return state != nullptr && *state != '\0';
  }();
  if (named || state_folder(flag).is_absolute()) return {};
  return {Code::failed_precondition,
          "there is no state folder: HOME names none, and user " + std::to_string(::geteuid()) +
              " has no home folder in the passwd database; set HOME or COBUS_STATE, or pass --state DIR"};
}

}  // namespace cobus::link
