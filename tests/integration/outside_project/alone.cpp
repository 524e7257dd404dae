// SPDX-License-Identifier: Apache-2.0
//
// Two workers in one program: one adds up what the other sends, and is asked for the sum.
#include <cobus/local_node.hpp>

#include <cstdio>

#include "greet.pb.h"

namespace {

cobus::Task<> adder(cobus::Self self) {
  std::uint32_t sum = 0;
  for (;;) {
    auto received = co_await self.receive<greet::CountRequest, greet::GreetRequest>();
    if (!received) co_return;
    if (const auto* more = received->as<greet::CountRequest>()) {
      sum += more->to();
    } else {
      greet::CountReply reply;
      reply.set_number(sum);
      received->reply(std::move(reply));
    }
  }
}

cobus::Task<std::uint32_t> sum_of(cobus::Self self, std::uint32_t count) {
  const cobus::Address adding = self.spawn_link("adder", &adder);
  for (std::uint32_t number = 1; number <= count; ++number) {
    greet::CountRequest request;
    request.set_to(number);
    if (const cobus::Status sent = co_await self.send(adding, request); !sent.ok()) co_return 0;
  }
  const auto sum = co_await cobus::call_worker<greet::CountReply>(self, adding, greet::GreetRequest());
  co_return sum ? sum->number() : 0;
}

}  // namespace

int main() {
  cobus::LocalNode node;
  std::printf("%u\n", node.run(&sum_of, 100));
  return 0;
}
