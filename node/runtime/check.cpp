// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/check.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace cobus::detail {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::array<char, 1024> text{};
  const int size =
      std::snprintf(text.data(), text.size(), "cobus: a defect of the program: %s does not hold at %s:%d\n",
                    condition, file, line);
  // Whoever reads stderr may have stalled, and must not keep the process from ending.
  pollfd asked{STDERR_FILENO, POLLOUT, 0};
  if (size > 0 && ::poll(&asked, 1, 1000) > 0) {
    static_cast<void>(
        !::write(STDERR_FILENO, text.data(), std::min(static_cast<std::size_t>(size), text.size() - 1)));
  }
  std::abort();
}

}  // namespace cobus::detail
