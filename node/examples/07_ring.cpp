// SPDX-License-Identifier: Apache-2.0
//
// Armstrong's thousand little black boxes: each knows the next one, and a number goes round and round. Making
// a worker takes less than a microsecond, and a few hundred bytes.
//
// Prints:
//   100000 hops through 1000 workers
#include <cobus/local_node.hpp>

#include <iostream>

#include "examples.pb.h"

using examples::Number;

cobus::Task<> box(cobus::Self self, cobus::Address next) {
  for (;;) {
    auto number = co_await self.receive<Number>();
    if (!number) co_return;
    (*number)->set_value((*number)->value() + 1);
    static_cast<void>(co_await self.send(next, std::move(**number)));
  }
}

cobus::Task<std::int64_t> around(cobus::Self self, int workers, int rounds) {
  cobus::Address next = self.address();  // the last one closes the ring through this worker
  for (int i = 0; i < workers; ++i) next = self.spawn("box", &box, next);
  Number number;
  for (int round = 0; round < rounds; ++round) {
    static_cast<void>(co_await self.send(next, std::move(number)));
    auto back = co_await self.receive<Number>();
    if (!back) break;
    number = std::move(**back);
  }
  co_return number.value();
}

int main() {
  cobus::LocalNode node(1);
  std::cout << node.run(&around, 1000, 100) << " hops through 1000 workers\n";
}
