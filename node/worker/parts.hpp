// SPDX-License-Identifier: Apache-2.0
//
// Messages that are too large for a frame travel in parts: slices of the encoded envelope, in order, among
// the envelopes of others. PartsOut is what waits at one shard to go to one other node that way; PartsIn puts
// together what comes. Nothing of a message is looked at before all of it is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "node/worker/large_bytes.hpp"
#include "proto/address.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "proto/type_id.hpp"

namespace cobus {

// Used on its shard only (home_parts.cpp). In the order sent: behind a large message, also what its sender
// sent after it.
struct PartsOut {
  struct Waiting {
    WorkerId from;
    WorkerId to;
    TypeId type = TypeId::none;
    bool whole = false;      // small: it goes as it is
    LargeBytes bytes;        // the envelope, as in a frame
    std::uint64_t id = 0;    // of one that has begun
    std::uint32_t next = 0;  // part to go
  };
  std::deque<Waiting> waiting;
  std::size_t bytes = 0;
  [[nodiscard]] bool has_of(WorkerId from) const noexcept;
};

// The ids of parts are those of nothing else, and say which shard of the sender they are from.
[[nodiscard]] std::uint64_t part_id(std::uint64_t number, unsigned shard) noexcept;
[[nodiscard]] unsigned shard_of_part(std::uint64_t id) noexcept;

// With the link's lock held.
class PartsIn {
 public:
  // Takes one part. Gives the envelope, as in a frame, once it is whole. Nothing while it is not, and for
  // parts that do not fit together or are more than one peer may have here at once: those of the same message
  // are then dropped.
  [[nodiscard]] std::optional<LargeBytes> add(NodeId peer, const EnvelopeView& part);
  // The session with `peer` has ended.
  void lost(NodeId peer);
  // Bytes of unfinished messages, and how many were given up.
  [[nodiscard]] std::size_t held() const noexcept { return held_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct Unfinished {
    LargeBytes bytes;
    std::uint32_t next = 0;
  };
  using Key = std::pair<NodeId, std::uint64_t>;
  struct OfPeer {
    std::size_t bytes = 0;
    std::size_t messages = 0;
  };
  // Removes it; gives what there was of it.
  LargeBytes take(std::map<Key, Unfinished>::iterator which);

  std::map<Key, Unfinished> unfinished_;
  std::map<NodeId, OfPeer> held_of_;
  std::size_t held_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace cobus
