// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace cobus::detail {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "cobus: a defect of the program: %s does not hold at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace cobus::detail
