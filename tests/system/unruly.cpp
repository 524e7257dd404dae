// SPDX-License-Identifier: Apache-2.0
//
// A module that breaks its process in every way that a test asks for.
#include <cobus/service.hpp>

#include <unistd.h>

#include <cstdlib>

#include "unruly.cobus.h"

namespace {

using unruly::Reply;
using unruly::Request;

class Unruly final : public unruly::UnrulyService {
 public:
  cobus::Task<cobus::Result<Reply>> Echo(cobus::Call, Request request) override {
    Reply reply;
    reply.set_text(request.text());
    reply.set_process(::getpid());
    co_return reply;
  }
  cobus::Task<cobus::Result<Reply>> Abort(cobus::Call, Request) override {
    std::abort();
    co_return Reply();
  }
  cobus::Task<cobus::Result<Reply>> WriteToNull(cobus::Call, Request) override {
    int* volatile nowhere = nullptr;
    *nowhere = 1;
    co_return Reply();
  }
  cobus::Task<cobus::Result<Reply>> Leak(cobus::Call, Request) override {
    for (volatile bool on = true; on;) {
      auto* volatile lost = new std::string(100'000, 'x');
      static_cast<void>(lost);
    }
    co_return Reply();
  }
  cobus::Task<cobus::Result<Reply>> Loop(cobus::Call, Request) override {
    for (volatile bool on = true; on;) {
    }
    co_return Reply();
  }
};

// What keeps whoever loads it for ever.
[[maybe_unused]] const bool loaded = [] {
  while (std::getenv("UNRULY_HANGS") != nullptr) ::usleep(10'000);
  return true;
}();

}  // namespace

COBUS_SERVICE(Unruly);
