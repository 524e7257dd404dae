// SPDX-License-Identifier: Apache-2.0
//
// io_status: what went wrong with a file, as a status. A full disk is told apart, since it has a mend of
// its own and an exit code of its own.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include "proto/status.hpp"

namespace cobus {

// "WHAT: errno's text". RESOURCE_EXHAUSTED with the mend when there is no room left, else UNAVAILABLE.
[[nodiscard]] inline Status io_status(const std::string& what, int error) {
  const std::string text = what + ": " + std::strerror(error);  // NOLINT(concurrency-mt-unsafe): glibc's is
  if (error == ENOSPC) return {Code::resource_exhausted, text + ": make room on this disk, then try again"};
  if (error == EDQUOT)
    return {Code::resource_exhausted, text + ": make room within your quota, then try again"};
  return {Code::unavailable, text};
}

}  // namespace cobus
