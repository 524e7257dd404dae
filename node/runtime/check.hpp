// SPDX-License-Identifier: Apache-2.0
//
// CHECK: for our own bugs, never for what a peer, a file or a user gave. On in every build; prints
// the place and the broken condition, then aborts.
#pragma once

namespace cobus::detail {
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace cobus::detail

#define COBUS_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::cobus::detail::check_failed(#condition, __FILE__, __LINE__))
