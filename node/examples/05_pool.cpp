// SPDX-License-Identifier: Apache-2.0
//
// A pool, as multiprocessing has it: `map` gives all results at once, `imap` one after the other in the order
// of the inputs, `imap_unordered` in the order in which they are done. The pool is a few workers that are
// asked; some take longer than others.
//
// Prints:
//   map: 0 1 4 9 16 25 36 49
//   imap: 0 1 4 9 16 25 36 49
//   imap_unordered, sorted: 0 1 4 9 16 25 36 49
//   the slow one came last: yes
#include <cobus/local_node.hpp>

#include <algorithm>
#include <iostream>
#include <vector>

#include "examples.pb.h"

using examples::Number;
using Numbers = std::vector<std::int64_t>;

// Squares what it is asked; 0 takes a while.
cobus::Task<> square(cobus::Self self) {
  for (;;) {
    auto asked = co_await self.receive<Number>();
    if (!asked) co_return;
    const std::int64_t value = (*asked)->value();
    if (value == 0) static_cast<void>(co_await cobus::sleep(std::chrono::milliseconds(50)));
    Number answer;
    answer.set_value(value * value);
    asked->reply(std::move(answer));
  }
}

struct Pool {
  Pool(cobus::Self of, int size) : self(of) {
    for (int i = 0; i < size; ++i) workers.push_back(self.spawn("square", &square));
  }
  cobus::Self self;
  std::vector<cobus::Address> workers;
};

struct Done {
  std::size_t index;
  std::int64_t value;
};
using Results = cobus::Channel<Done>;

// Asks one worker for every size-th input, and puts what it says into the channel.
cobus::Task<> ask(const Pool* pool, std::size_t which, const Numbers* inputs, Results* results) {
  for (std::size_t index = which; index < inputs->size(); index += pool->workers.size()) {
    Number request;
    request.set_value((*inputs)[index]);
    auto answer = co_await cobus::call_worker<Number>(pool->self, pool->workers[which], std::move(request));
    if (!answer) co_return;
    static_cast<void>(co_await results->send(Done{index, answer->value()}));
  }
}

// As they are done. The workers are asked for no more than somebody takes: the channel has room for two.
cobus::Stream<Done> imap_unordered(const Pool* pool, Numbers inputs) {
  Results results(2);
  cobus::Scope scope;
  for (std::size_t which = 0; which < pool->workers.size(); ++which)
    scope.spawn(ask(pool, which, &inputs, &results));
  for (std::size_t taken = 0; taken < inputs.size(); ++taken) {
    cobus::Result<Done> done = co_await results.receive();
    if (!done) co_yield cobus::fail(done.error());
    co_yield *done;
  }
}

// In the order of the inputs; what is done too early waits.
cobus::Stream<std::int64_t> imap(const Pool* pool, Numbers inputs) {
  std::vector<std::optional<std::int64_t>> early(inputs.size());
  std::size_t next = 0;
  cobus::Stream<Done> done = imap_unordered(pool, std::move(inputs));
  while (auto one = co_await done.next()) {
    early[one->index] = one->value;
    for (; next < early.size() && early[next]; ++next) co_yield *early[next];
  }
}

cobus::Task<Numbers> map(const Pool* pool, Numbers inputs) {
  Numbers results(inputs.size());
  cobus::Stream<Done> done = imap_unordered(pool, std::move(inputs));
  while (auto one = co_await done.next()) results[one->index] = one->value;
  co_return results;
}

void print(const char* what, const Numbers& numbers) {
  std::cout << what << ':';
  for (const std::int64_t number : numbers) std::cout << ' ' << number;
  std::cout << '\n';
}

cobus::Task<> use(cobus::Self self) {
  const Pool pool(self, 4);
  Numbers inputs{0, 1, 2, 3, 4, 5, 6, 7};
  print("map", co_await map(&pool, inputs));

  Numbers in_order;
  cobus::Stream<std::int64_t> squares = imap(&pool, inputs);
  while (auto one = co_await squares.next()) in_order.push_back(*one);
  print("imap", in_order);

  Numbers as_done;
  cobus::Stream<Done> results = imap_unordered(&pool, inputs);
  while (auto one = co_await results.next()) as_done.push_back(one->value);
  const bool slow_last = as_done[6] == 0 || as_done[7] == 0;  // 4 waits behind it at the same worker
  std::sort(as_done.begin(), as_done.end());
  print("imap_unordered, sorted", as_done);
  std::cout << "the slow one came last: " << (slow_last ? "yes" : "no") << '\n';
}

int main() {
  cobus::LocalNode node;
  node.run(&use);
}
