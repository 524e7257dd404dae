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

}  // namespace cobus
