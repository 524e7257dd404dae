// SPDX-License-Identifier: Apache-2.0
//
// StallLog: what the log hears of workers that hold their shard. Afterwards, of each that did so for longer
// than limits::stall_after; and while it lasts, of one that does not come back at all.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "node/runtime/clock.hpp"
#include "node/runtime/shard.hpp"

namespace cobus {

class StallLog {
 public:
  // `node` names the node in the log.
  StallLog(std::string node, unsigned shards) : node_(std::move(node)), held_(shards) {}

  // One that is over. The shard's thread.
  void held(const Shard::Report& report) const;
  // Looks whether a shard has been held for a second, and tells; again after ten, and each minute. One
  // thread, not the shard's, every so often.
  void look(const Shard& shard, TimePoint now);
  // "worker 1.42.7 (text.Text/WordCount) has held shard 1 for 7.2 s"; empty when nobody has for longer than
  // limits::stall_after. Any thread.
  [[nodiscard]] static std::string who_holds(const Shard& shard, TimePoint now);

 private:
  struct Held {
    TimePoint since{};
    Duration told{};  // what it had lasted when it was told last
  };
  std::string node_;
  std::vector<Held> held_;  // by shard
};

}  // namespace cobus
