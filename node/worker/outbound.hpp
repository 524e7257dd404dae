// SPDX-License-Identifier: Apache-2.0
//
// Outbound: what a shard collects for other nodes, a chunk of envelopes for each, until it is handed to the
// link at the end of the turn. Used on the shard only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "node/worker/envelope.hpp"
#include "proto/address.hpp"
#include "proto/codec.hpp"
#include "proto/type_id.hpp"

namespace cobus {

class Outbound {
 public:
  // What an envelope says besides its payload, if that is so little that another of the same need not repeat
  // it; else of no kind.
  struct Said {
    v1::Kind kind = v1::KIND_UNSPECIFIED;
    std::uint32_t flags = 0;
    WorkerId from = {};
    WorkerId to = {};
    TypeId type = TypeId::none;
    std::uint64_t call = 0;
    [[nodiscard]] static Said of(const Envelope& envelope) noexcept {
      if (!may_be_repeated(envelope.kind) || envelope.has_extra() || envelope.deadline != never) return {};
      return {envelope.kind, envelope.flags, envelope.from.worker, envelope.to, envelope.type, envelope.call};
    }
    friend bool operator==(const Said&, const Said&) = default;
  };
  struct Chunk {
    std::string envelopes;
    std::size_t usual = 0;                   // bytes of the last one
    Said last = {};                          // of the envelope behind which the next is written
    std::optional<bool> takes_repeats = {};  // the node; not known: not asked yet

    // Before the first envelope: room for about as many as the last time, or for one of `coming` bytes, and
    // for what the link writes behind.
    void make_room(std::size_t coming = 0) {
      if (envelopes.empty()) envelopes.reserve(std::max(usual, coming) + room_for_header);
    }
    // What it held is to be handed over.
    void begin_anew() noexcept {
      usual = envelopes.size();
      last = {};
      takes_repeats.reset();
    }
  };

  // Valid until submit_all().
  [[nodiscard]] Chunk& to(NodeId node) {
    if (node != last_node_ || last_ == nullptr) {
      last_node_ = node;
      last_ = &chunks_[node];
    }
    return *last_;
  }
  // Something is written to a chunk.
  void written() noexcept { some_ = true; }
  // Calls submit(node, chunk), which takes the envelopes, for each that has some.
  template <class Submit>
  void submit_all(Submit&& submit) {
    if (!std::exchange(some_, false)) return;
    for (auto& [node, chunk] : chunks_) {
      if (!chunk.envelopes.empty()) submit(node, chunk);
    }
    if (chunks_.size() <= kept_max) return;
    chunks_.clear();
    last_ = nullptr;
  }
  [[nodiscard]] std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (const auto& [node, chunk] : chunks_) sum += chunk.envelopes.size();
    return sum;
  }

 private:
  static constexpr std::size_t room_for_header = 32;
  // Nodes whose place is kept when nothing is collected for them.
  static constexpr std::size_t kept_max = 16;

  std::unordered_map<NodeId, Chunk> chunks_;
  NodeId last_node_ = NodeId::none;  // whose chunk was asked for last,
  Chunk* last_ = nullptr;            // and it; null: none was
  bool some_ = false;                // something is collected
};

}  // namespace cobus
