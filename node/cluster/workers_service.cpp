// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/workers_service.hpp"

#include <cobus/v1/worker.cobus.h>

#include <string>

namespace cobus {
namespace {

class WorkersService final : public v1::WorkersService {
 public:
  explicit WorkersService(const Node& node) : node_(node) {}

  // Replies in the same go, so that the reply leaves before the new worker runs. Makes nobody for a spawner
  // whose node was lost meanwhile: its bonds with that node would be noticed by no loss any more.
  Task<Result<v1::SpawnReply>> Spawn(Call call, v1::SpawnRequest request) override {
    if (call.stop_requested()) co_return fail(Code::cancelled, "whoever wanted the worker is gone");
    const Kind* const kind = node_.find_kind(request.kind());
    if (kind == nullptr) {
      co_return fail(Code::not_found, "node " + node_.name() + " makes no workers of kind " + request.kind());
    }
    const Birth birth{call.caller_address(), request.monitor(), request.link()};
    const Result<WorkerId> made =
        kind->make(call.self().worker().home(), kind->name.c_str(), request.argument(), birth);
    if (!made) co_return fail(made.error());
    v1::SpawnReply reply;
    reply.set_worker(made->value);
    co_return reply;
  }

 private:
  const Node& node_;
};

}  // namespace

std::unique_ptr<Service> make_workers_service(const Node& node) {
  return std::make_unique<WorkersService>(node);
}

}  // namespace cobus
