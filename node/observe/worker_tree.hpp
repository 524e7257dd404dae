// SPDX-License-Identifier: Apache-2.0
//
// WorkerTree: who spawned whom, as lines. What a shard knows is gathered there in slices, as plain entries;
// the tree is then made of the entries of all shards by whoever has time for it, the pool for blocking code:
// for a million workers that takes a while. Many of a kind below one parent become one line.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "node/runtime/task.hpp"
#include "node/worker/self.hpp"

namespace cobus {

struct TreeEntry {
  WorkerId id;
  WorkerId parent;  // may have ended
  const char* kind;
  v1::WorkerState state;
};
// What few workers have: those that have it get a line of their own.
struct TreeNote {
  WorkerId id;
  std::string name;
  v1::Supervision supervision;  // without a strategy: it is no supervisor
  std::string child;            // of a supervisor: its id there
  std::uint64_t restarts = 0;
};
// A child of a supervisor that runs at another node.
struct TreeAbroad {
  WorkerId parent;
  Address address;
  std::string child;  // its id in the specification
  std::uint64_t restarts = 0;
};
struct TreeEntries {
  std::vector<TreeEntry> workers;
  std::vector<TreeNote> notes;
  std::vector<TreeAbroad> abroad;
  void add(TreeEntries more);
};

// Of the shard that it runs on.
[[nodiscard]] Task<TreeEntries> tree_of_shard(Self self);

// At most `lines_max` lines; the rest is counted as left out, which those abroad are not: they are others'
// workers. Any thread.
[[nodiscard]] v1::TreeReply make_tree(TreeEntries entries, std::size_t lines_max);

}  // namespace cobus
