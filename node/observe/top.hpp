// SPDX-License-Identifier: Apache-2.0
//
// Top: the workers of a node that stand highest by some figure, now or within a window. Looks at every
// worker of a shard, in slices, so that others run in between; keeps only the best. Of the start of a window
// it remembers those that had done something by then.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include "node/runtime/task.hpp"
#include "node/worker/self.hpp"

namespace cobus {

struct TopQuery {
  v1::TopOrder order = v1::BY_MAILBOX;
  std::size_t limit = 20;
  Duration window{0};  // 0: no rates
};

// Of the shard that it runs on. Its `workers` are those of the shard.
[[nodiscard]] Task<v1::TopReply> top_of_shard(Self self, TopQuery query);

// The highest `limit` of the rows of all.
void merge_top(v1::TopReply& into, v1::TopReply of_shard, const TopQuery& query);

}  // namespace cobus
