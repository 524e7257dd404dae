// SPDX-License-Identifier: Apache-2.0
//
// Code that blocks would hold everybody of its shard. `co_await offload(...)` lets go: the function runs on a
// thread of the pool, gets what it needs by value, and the worker goes on with what it gives back.
//
// Prints:
//   two naps side by side, and the ticker ticked
//   offload rethrows: the disk is on fire
#include <cobus/local_node.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <thread>

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// As a library would block.
int nap(milliseconds time) {
  std::this_thread::sleep_for(time);
  return 1;
}

cobus::Task<int> nap_elsewhere() {
  const cobus::Result<int> done = co_await cobus::offload([] { return nap(milliseconds(100)); });
  co_return done.value_or(0);
}

cobus::Task<> tick(cobus::Self, int* ticks) {
  for (;;) {
    const cobus::Status slept = co_await cobus::sleep(milliseconds(5));
    if (!slept.ok()) co_return;
    ++*ticks;
  }
}

cobus::Task<> work(cobus::Self self, int* ticks) {
  self.spawn("ticker", &tick, ticks);
  const auto began = Clock::now();
  const auto [first, second] = co_await cobus::all(nap_elsewhere(), nap_elsewhere());
  const bool side_by_side = Clock::now() - began < milliseconds(190);
  std::cout << (first + second == 2 && side_by_side ? "two naps side by side" : "one nap after the other")
            << ", and the ticker " << (*ticks > 3 ? "ticked" : "was held") << '\n';
  try {
    static_cast<void>(
        co_await cobus::offload([]() -> int { throw std::runtime_error("the disk is on fire"); }));
  } catch (const std::exception& error) {
    std::cout << "offload rethrows: " << error.what() << '\n';
  }
}

int main() {
  int ticks = 0;  // outlives the node, and so the ticker
  cobus::LocalNode node(1);
  node.run(&work, &ticks);
}
