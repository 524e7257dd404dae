// SPDX-License-Identifier: Apache-2.0
//
// Between workers there is nothing but messages, and the two old friends of multiprocessing are just that. A
// pipe is two workers that know each other's address. A queue is a worker whose mailbox is bounded: who puts
// into it waits for room, who wants something out of it asks.
//
// Prints:
//   pipe: HELLO, WORLD
//   before anybody took one, 3 were in the queue
//   queue: 1 2 3 4 5 6 7 8 9 10
#include <cobus/local_node.hpp>

#include <algorithm>
#include <cctype>
#include <iostream>

#include "examples.pb.h"

using examples::Number;
using examples::Text;

// One end of a pipe: what comes in goes back in capitals.
cobus::Task<> far_end(cobus::Self self) {
  for (;;) {
    auto line = co_await self.receive<Text>();
    if (!line) co_return;
    std::string text = (*line)->text();
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
    Text answer;
    answer.set_text(text);
    static_cast<void>(co_await self.send(line->from(), std::move(answer)));
  }
}

// Hands out one Number for each Text that asks. What was put in waits in its mailbox, which has room for two;
// behind that, its senders wait.
cobus::Task<> queue(cobus::Self self) {
  cobus::MailboxLimits limits;
  limits.messages = 2;
  self.limit_mailbox(limits);
  for (;;) {
    auto put = co_await self.receive<Number>();
    if (!put) co_return;
    auto asked = co_await self.receive<Text>();
    if (!asked) co_return;
    asked->reply(std::move(**put));
  }
}

cobus::Task<> produce(cobus::Self self, cobus::Address to, int* sent) {
  for (int i = 1; i <= 10; ++i) {
    Number number;
    number.set_value(i);
    static_cast<void>(co_await self.send(to, std::move(number)));  // waits for room
    *sent = i;
  }
}

cobus::Task<> use(cobus::Self self, int* sent) {
  const cobus::Address other = self.spawn("far end", &far_end);
  Text hello;
  hello.set_text("Hello, world");
  static_cast<void>(co_await self.send(other, hello));
  auto back = co_await self.receive<Text>();
  if (back) std::cout << "pipe: " << (*back)->text() << '\n';

  const cobus::Address numbers = self.spawn("queue", &queue);
  self.spawn("producer", &produce, numbers, sent);
  static_cast<void>(co_await cobus::sleep(std::chrono::milliseconds(20)));
  std::cout << "before anybody took one, " << *sent << " were in the queue\nqueue:";
  for (int i = 0; i < 10; ++i) {
    Text next;
    next.set_text("next");
    auto number = co_await cobus::call_worker<Number>(self, numbers, std::move(next));
    if (number) std::cout << ' ' << number->value();
  }
  std::cout << '\n';
}

int main() {
  int sent = 0;  // outlives the node, and so the producer
  cobus::LocalNode node(1);
  node.run(&use, &sent);
}
