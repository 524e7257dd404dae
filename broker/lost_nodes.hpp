// SPDX-License-Identifier: Apache-2.0
//
// LostNodes: which nodes went away without taking their leave within the last hour, for cobus doctor. A node
// that comes back under its name is lost no more.
// Owned by DirectoryService and used on its shard only. It reads no clock: the caller passes `now`.
#pragma once

#include <cobus/v1/admin.pb.h>
#include <cobus/v1/directory.pb.h>

#include <map>
#include <string>

#include "node/runtime/clock.hpp"

namespace cobus::broker {

class LostNodes {
 public:
  // Somebody looks after an hour at the latest, and a cluster that lost more nodes has another problem.
  static constexpr std::chrono::hours told{1};
  static constexpr std::size_t nodes_max = 1000;

  // Takes in what has been told to the watchers of the directory.
  void apply(const v1::DirectoryEvent& delta, TimePoint now);

  // Those of the last hour, by name.
  [[nodiscard]] v1::LostReply list(TimePoint now) const;

 private:
  struct Lost {
    std::string reason;
    TimePoint at;
  };
  std::map<std::string, Lost> lost_;  // by name
};

}  // namespace cobus::broker
