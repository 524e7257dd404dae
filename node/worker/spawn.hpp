// SPDX-License-Identifier: Apache-2.0
//
// Spawning by kind: makes a worker on another node, or on the least loaded shard of this one. Monitor and
// link hold from the worker's first instant, so whatever becomes of it is heard, as for a worker next door.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "node/runtime/task.hpp"
#include "node/worker/self.hpp"

namespace cobus {

struct SpawnOptions {
  bool monitor = false;
  bool link = false;
  Duration timeout = std::chrono::seconds(30);  // negative: none
};

// With the argument encoded already.
[[nodiscard]] Task<Result<Spawned>> spawn_encoded(Self self, NodeId node, std::string kind,
                                                  std::string argument, SpawnOptions options);

// A new worker of `kind` at `node`; NodeId::none: at a node that makes such workers. Gives its address once
// it exists, and the monitor if one was asked for. NOT_FOUND when the node, or nobody, makes that kind;
// INVALID_ARGUMENT when it is made from another message; UNAVAILABLE when the node is lost or cannot be
// reached; DEADLINE_EXCEEDED; CANCELLED when this worker is asked to stop. After an error there is no such
// worker, and no Down or Exit comes: one that was made all the same is killed.
template <ProtobufMessage Argument>
[[nodiscard]] Task<Result<Spawned>> spawn_at(Self self, NodeId node, std::string kind, Argument argument,
                                             SpawnOptions options = {}) {
  return spawn_encoded(self, node, std::move(kind), argument.SerializeAsString(), options);
}

}  // namespace cobus
