// SPDX-License-Identifier: Apache-2.0
//
// A module that monitors workers on other nodes, and tells its caller at once when one is down.
#include <cobus/v1/worker.pb.h>
#include <cobus/service.hpp>

#include "lookout.cobus.h"

namespace {

// It is there until it is stopped.
cobus::Task<> post(cobus::Self self, lookout::Post) {
  static_cast<void>(co_await self.receive<lookout::Post>());
}

lookout::Sighting sighting(std::uint64_t node, const std::string& what, const std::string& reason) {
  lookout::Sighting made;
  made.set_node(node);
  made.set_what(what);
  made.set_reason(reason);
  return made;
}

class Lookout final : public lookout::LookoutService {
 public:
  cobus::Stream<lookout::Sighting> Watch(cobus::Call call, lookout::WatchRequest request) override {
    const cobus::Self self = call.self();
    for (const std::uint64_t node : request.nodes()) {
      cobus::SpawnOptions options;
      options.monitor = true;
      auto made =
          co_await cobus::spawn_at(self, cobus::NodeId{node}, "lookout.Post", lookout::Post(), options);
      co_yield sighting(node, made ? "watching" : "not there", made ? "" : made.error().to_string());
    }
    for (;;) {
      auto down = co_await self.receive<cobus::v1::Down>();
      if (!down) co_return;
      co_yield sighting((*down)->node(), "down", (*down)->reason().message());
    }
  }
};

}  // namespace

COBUS_SERVICE(Lookout);
COBUS_WORKER("lookout.Post", &post);
