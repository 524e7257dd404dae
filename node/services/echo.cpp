// SPDX-License-Identifier: Apache-2.0
//
// echo.Echo: the smallest service. Start here to see what an author writes, streams of requests included.
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

  Task<Result<echo::CollectReply>> Collect(Call /*call*/, Incoming<echo::EchoRequest> requests) override {
    echo::CollectReply reply;
    while (std::optional<echo::EchoRequest> request = co_await requests.next()) {
      reply.set_count(reply.count() + 1);
      reply.set_bytes(reply.bytes() + request->text().size());
    }
    if (!requests.status().ok()) co_return fail(requests.status());
    co_return reply;
  }

  Stream<echo::EchoReply> Chat(Call call, Incoming<echo::EchoRequest> requests) override {
    while (std::optional<echo::EchoRequest> request = co_await requests.next()) {
      echo::EchoReply reply;
      reply.set_text(std::move(*request->mutable_text()));
      reply.set_node(call.self().node().name());
      co_yield reply;
    }
  }
};

}  // namespace

std::unique_ptr<Service> make_echo() { return std::make_unique<EchoWorker>(); }

}  // namespace cobus::services
