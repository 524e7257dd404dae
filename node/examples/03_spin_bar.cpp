// SPDX-License-Identifier: Apache-2.0
//
// The spin bar that turns while a computation runs elsewhere: the computation in a thread of the pool, the
// bar in a worker beside it, and one that waits for the first and then stops the second. The bar goes to
// stderr.
//
// Prints:
//   There are 148933 primes below two million, and the bar turned meanwhile.
#include <cobus/local_node.hpp>

#include <cstdint>
#include <iostream>
#include <vector>

std::int64_t count_primes(std::size_t below) {
  std::vector<bool> composite(below);
  std::int64_t count = 0;
  for (std::size_t number = 2; number < below; ++number) {
    if (composite[number]) continue;
    ++count;
    for (std::size_t multiple = number * number; multiple < below; multiple += number)
      composite[multiple] = true;
  }
  return count;
}

// Turns until it is asked to stop.
cobus::Task<cobus::Status> spin(int* turns) {
  constexpr const char* bar = "|/-\\";
  for (;;) {
    std::cerr << "\rPlease wait " << bar[(*turns)++ % 4] << std::flush;
    const cobus::Status slept = co_await cobus::sleep(std::chrono::milliseconds(1));
    if (!slept.ok()) break;
  }
  std::cerr << '\r' << std::flush;
  co_return cobus::Status();
}

cobus::Task<> compute(cobus::Self) {
  int turns = 0;
  cobus::Scope scope;  // its children end before it does
  scope.spawn(spin(&turns));
  const cobus::Result<std::int64_t> primes = co_await cobus::offload([] { return count_primes(2'000'000); });
  scope.cancel();
  static_cast<void>(co_await scope.join());
  std::cout << "There are " << primes.value_or(0) << " primes below two million, and the bar "
            << (turns > 1 ? "turned meanwhile" : "stood still") << ".\n";
}

int main() {
  cobus::LocalNode node(1);  // one shard: worker and bar share a thread
  node.run(&compute);
}
