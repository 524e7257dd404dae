// SPDX-License-Identifier: Apache-2.0
//
// Exit codes of our programs for errors, one mapping for all (design: cli contract).
#pragma once

#include "proto/status.hpp"

namespace cobus {

[[nodiscard]] constexpr int exit_code(Code code) noexcept {
  switch (code) {
    case Code::ok:
      return 0;
    case Code::invalid_argument:
      return 2;
    case Code::cancelled:
      return 3;
    case Code::unavailable:
      return 69;
    case Code::resource_exhausted:
      return 75;
    case Code::permission_denied:
    case Code::unauthenticated:
      return 77;
    case Code::deadline_exceeded:
      return 124;
    default:
      return 1;
  }
}

// The other way round: what a program that ended with `exit` meant; UNKNOWN for what is none of the above.
[[nodiscard]] constexpr Code code_of_exit(int exit) noexcept {
  for (const Code code : {Code::ok, Code::invalid_argument, Code::cancelled, Code::unavailable,
                          Code::resource_exhausted, Code::permission_denied, Code::deadline_exceeded}) {
    if (exit_code(code) == exit) return code;
  }
  return Code::unknown;
}

}  // namespace cobus
