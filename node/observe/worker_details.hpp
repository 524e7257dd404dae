// SPDX-License-Identifier: Apache-2.0
//
// WorkerDetails: all that can be seen of one worker: its bounds, whom it is tied to, the call it handles, the
// answers it waits for, and where it stands. The worker's shard only.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include <functional>
#include <string>

#include "node/observe/await_chains.hpp"
#include "node/worker/home.hpp"

namespace cobus {

// `name_of` gives a node's name.
[[nodiscard]] v1::ShowReply worker_details(Home& home, const Worker& worker, const KnownTypes& types,
                                           const std::function<std::string(NodeId)>& name_of);

void write_supervision(const Worker& worker, v1::Supervision* into);

}  // namespace cobus
