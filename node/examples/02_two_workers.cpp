// SPDX-License-Identifier: Apache-2.0
//
// Two workers talk. A worker is a coroutine with a mailbox: it shares nothing, and knows of others only their
// addresses. Between two `co_await`s nothing else of its shard runs.
//
// Prints:
//   pong heard 1
//   ping heard 2
//   pong heard 3
//   ping heard 4
//   pong heard 5
//   ping heard 6
#include <cobus/local_node.hpp>

#include <iostream>

#include "examples.pb.h"

using examples::Number;

// Answers every number with the next one.
cobus::Task<> pong(cobus::Self self) {
  for (;;) {
    auto number = co_await self.receive<Number>();
    if (!number) co_return;  // it was asked to stop
    std::cout << "pong heard " << (*number)->value() << '\n';
    Number next;
    next.set_value((*number)->value() + 1);
    static_cast<void>(co_await self.send(number->from(), std::move(next)));
  }
}

cobus::Task<> ping(cobus::Self self) {
  const cobus::Address other = self.spawn("pong", &pong);
  Number number;
  number.set_value(1);
  for (int round = 0; round < 3; ++round) {
    static_cast<void>(co_await self.send(other, number));
    auto answer = co_await self.receive<Number>();
    if (!answer) co_return;
    std::cout << "ping heard " << (*answer)->value() << '\n';
    number.set_value((*answer)->value() + 1);
  }
}

int main() {
  cobus::LocalNode node;
  node.run(&ping);
}
