// SPDX-License-Identifier: Apache-2.0
#include "greet.cobus.h"

namespace {

class Greeter final : public greet::GreeterService {
 public:
  cobus::Task<cobus::Result<greet::GreetReply>> Greet(cobus::Call, greet::GreetRequest request) override {
    if (request.name().empty()) {
      co_return cobus::fail(cobus::Code::invalid_argument, "whom to greet? set `name`");
    }
    greet::GreetReply reply;
    reply.set_text("Hello, " + request.name() + "!");
    co_return reply;
  }

  cobus::Stream<greet::CountReply> Count(cobus::Call, greet::CountRequest request) override {
    for (std::uint32_t number = 1; number <= request.to(); ++number) {
      greet::CountReply reply;
      reply.set_number(number);
      co_yield reply;
    }
  }
};

}  // namespace

COBUS_SERVICE(Greeter);
