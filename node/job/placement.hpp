// SPDX-License-Identifier: Apache-2.0
//
// Placement: decides which node gets which job: one that offers the very method, admits whoever
// submitted it, has a free place and did not just turn a job away. Remembers the places that this
// home's jobs take. Owned by the dispatcher and used on its shard only. It does no I/O and reads no
// clock or directory: the caller passes what it sees.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/job/ledger.hpp"
#include "node/runtime/clock.hpp"
#include "node/runtime/random.hpp"
#include "proto/address.hpp"
#include "proto/type_id.hpp"

#include <cobus/v1/directory.pb.h>

namespace cobus::job {

class Placement {
 public:
  using Nodes = std::vector<v1::NodeRecord>;

  // Methods that the same nodes offer in the same class, and those nodes with how many jobs each takes.
  struct Room {
    std::vector<std::string> methods;
    v1::Where where = v1::SHARD;
    std::vector<std::pair<NodeId, std::uint32_t>> nodes;
  };
  // What a job takes at a node until it is given back.
  struct Place {
    NodeId node{};
    std::string name;  // of the node
    v1::Where where = v1::SHARD;
    TypeId input = TypeId::none;  // of the method there
  };

  // All that can be run at these nodes, apart from methods that are part of cobus.
  [[nodiscard]] std::vector<Room> rooms(const Nodes& nodes, TimePoint now) const;
  // How many more jobs of its methods a room takes now.
  [[nodiscard]] std::uint32_t free(const Room& room) const;

  // From now on gives these no job that another node has a place for.
  void prefer_others_to(std::set<NodeId> unsteady) { unsteady_ = std::move(unsteady); }
  // Takes a place for `job` at the node that has the most of them left; equals take turns.
  // PERMISSION_DENIED when nodes offer the method, and none to whoever submitted the job; UNAVAILABLE when
  // nobody offers it or nobody has a place.
  [[nodiscard]] Result<Place> take(const ClaimedJob& job, const Nodes& nodes, TimePoint now, Random& random);
  void give_back(const Place& place);

  // Gives the node no jobs for two seconds: of the class of `place`, or any.
  void avoid(const Place& place, TimePoint now);
  void avoid(NodeId node, TimePoint now);

 private:
  using Class = std::pair<NodeId, v1::Where>;
  [[nodiscard]] bool avoided(const Class& at, TimePoint now) const;
  [[nodiscard]] std::uint32_t used(const Class& at) const;

  std::map<Class, std::uint32_t> used_;  // without zeros
  std::map<Class, TimePoint> avoided_;   // until when
  std::set<NodeId> unsteady_;
};

}  // namespace cobus::job
