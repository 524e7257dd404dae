// SPDX-License-Identifier: Apache-2.0
//
// AwaitChains: where the coroutines of a worker stand: from the outermost to the innermost, at which line,
// for how long, and what the innermost waits for. First the worker's own, then those that run side by side in
// it: the branches of an all(), the children of its scopes. The worker's shard only.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include <string>
#include <utility>
#include <vector>

#include "node/worker/worker.hpp"

namespace cobus {

// Types that a worker may wait for, by name. What it accepts is found by asking it for each.
using KnownTypes = std::vector<std::pair<TypeId, std::string>>;

// Adds the chains; those above a hundred, and awaits above a thousand, are counted as left out.
void write_await_chains(const Worker& worker, TimePoint now, const KnownTypes& types, v1::ShowReply& into);

}  // namespace cobus
