// SPDX-License-Identifier: Apache-2.0
//
// `co_yield` makes a generator: a function that gives a sequence, one item whenever the next is asked for. It
// needs no node and no worker.
//
// Prints:
//   0 1 1 2 3 5 8 13 21 34
//   the first above a million: 1346269
#include <cobus/task.hpp>

#include <cstdint>
#include <iostream>
#include <ranges>
#include <utility>

// Endless; it runs only as far as somebody asks.
cobus::Generator<std::int64_t> fibonacci() {
  std::int64_t now = 0;
  std::int64_t next = 1;
  for (;;) {
    std::int64_t given = now;
    co_yield given;
    now = std::exchange(next, now + next);
  }
}

int main() {
  const char* space = "";
  for (const std::int64_t number : fibonacci() | std::views::take(10)) {
    std::cout << std::exchange(space, " ") << number;
  }
  std::cout << '\n';
  for (const std::int64_t number : fibonacci()) {
    if (number <= 1'000'000) continue;
    std::cout << "the first above a million: " << number << '\n';
    break;
  }
}
