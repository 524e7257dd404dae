// SPDX-License-Identifier: Apache-2.0
//
// cobus.v1.Workers: makes workers on behalf of others, see node/worker/spawn.hpp. A call of it runs on the
// least loaded shard, and that is where the new worker stays.
#pragma once

#include <memory>

#include "node/worker/node.hpp"

namespace cobus {

[[nodiscard]] std::unique_ptr<Service> make_workers_service(const Node& node);

}  // namespace cobus
