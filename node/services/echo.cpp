// SPDX-License-Identifier: Apache-2.0
//
// echo.Echo: the smallest service. Start here to see what an author writes.
#include <cobus/service.hpp>

#include "echo.cobus.h"
#include "node/services/shipped.hpp"
#include "node/worker/node.hpp"

namespace cobus::services {
namespace {

class EchoWorker final : public echo::EchoService {
 public:
  Task<Result<echo::EchoReply>> Echo(Call call, echo::EchoRequest request) override {
    echo::EchoReply reply;
    reply.set_text(std::move(*request.mutable_text()));
    reply.set_node(call.self().node().name());
    co_return reply;
  }
};

}  // namespace

std::unique_ptr<Service> make_echo() { return std::make_unique<EchoWorker>(); }

}  // namespace cobus::services
