// SPDX-License-Identifier: Apache-2.0
#include <chrono>

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

// Waves for ten seconds.
class Farewell final : public greet::FarewellService {
 public:
  cobus::Task<cobus::Result<greet::GreetReply>> Wave(cobus::Call, greet::GreetRequest request) override {
    if (cobus::Status slept = co_await cobus::sleep(std::chrono::seconds(10)); !slept.ok()) {
      co_return cobus::fail(std::move(slept));
    }
    greet::GreetReply reply;
    reply.set_text("Goodbye, " + request.name() + "!");
    co_return reply;
  }
};

}  // namespace

COBUS_SERVICE(Greeter);
COBUS_SERVICE(Farewell);
