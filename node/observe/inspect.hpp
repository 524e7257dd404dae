// SPDX-License-Identifier: Apache-2.0
//
// cobus.v1.Inspect on the bus: the workers of this node, from all its shards: who stands highest, one in
// every detail, who spawned whom. Looks, and changes nothing.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include <functional>
#include <memory>
#include <string>

#include "node/worker/service.hpp"

namespace cobus {

// `node` must outlive it. `name_of` is called by any thread. Register it after those whose message types it
// is to know. `add_health`, if there is one, says what only the program knows of its health; on any shard.
[[nodiscard]] std::unique_ptr<Service> make_inspect_service(
    Node& node, std::function<std::string(NodeId)> name_of,
    std::function<void(v1::HealthReply&)> add_health = {});

}  // namespace cobus
