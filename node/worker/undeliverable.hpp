// SPDX-License-Identifier: Apache-2.0
//
// What becomes of envelopes that do not go where they should: whoever waits for them or for their answers is
// told.
#pragma once

#include <string>
#include <string_view>

#include "node/worker/node.hpp"

namespace cobus {

// Tells whoever waits for `envelopes`, which did not go to `node`, with the reason: the caller of a request,
// the watcher of a worker, both ends of a stream that would have a hole. Any thread.
void return_unsent(Node& here, NodeId node, std::string_view envelopes, const Status& reason);

// Answers a request that came from another node on the link's thread, for a shard that has no space even for
// the answer. The answer leaves with the next poll. `downs`: as for Links::submit().
void refuse_at_once(Node& here, const Envelope& request, Status status, std::uint64_t downs);

// " (from node alpha to submit client)", as far as the two nodes have a session here: for the log. Any
// thread.
[[nodiscard]] std::string between(const Node& here, NodeId from, NodeId to);

}  // namespace cobus
