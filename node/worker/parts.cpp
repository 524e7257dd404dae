// SPDX-License-Identifier: Apache-2.0
#include "node/worker/parts.hpp"

#include <algorithm>

namespace cobus {
namespace {

constexpr std::uint64_t part_bit = std::uint64_t{1} << 63;  // of no call
// What one message takes with its envelope, and all of one peer.
constexpr std::size_t held_bytes_max = limits::message_bytes_max + limits::envelope_overhead_bytes_max;
constexpr std::size_t unfinished_max = 256;  // of one peer; a node has fewer shards

}  // namespace

bool PartsOut::has_of(WorkerId from) const noexcept {
  return std::ranges::any_of(waiting, [from](const Waiting& one) { return one.from == from; });
}

std::uint64_t part_id(std::uint64_t number, unsigned shard) noexcept {
  return part_bit | (number << 8) | (shard & 0xff);
}
unsigned shard_of_part(std::uint64_t id) noexcept { return static_cast<unsigned>(id & 0xff); }

LargeBytes PartsIn::take(std::map<Key, Unfinished>::iterator which) {
  LargeBytes bytes = std::move(which->second.bytes);
  held_ -= bytes.size();
  const auto of_peer = held_of_.find(which->first.first);
  of_peer->second.bytes -= bytes.size();
  if (--of_peer->second.messages == 0) held_of_.erase(of_peer);
  unfinished_.erase(which);
  return bytes;
}

std::optional<LargeBytes> PartsIn::add(NodeId peer, const EnvelopeView& part) {
  const Key key{peer, part.header.call};
  auto found = unfinished_.find(key);
  if (found == unfinished_.end()) {
    if (part.header.credit != 0) return std::nullopt;  // of one that was given up
    found = unfinished_.try_emplace(key).first;
    ++held_of_[peer].messages;
  }
  OfPeer& held = held_of_[peer];
  Unfinished& message = found->second;
  const std::size_t size = part.payload.size();
  if (part.header.credit != message.next || size == 0 || held.bytes + size > held_bytes_max ||
      held.messages > unfinished_max) {
    ++dropped_;
    static_cast<void>(take(found));
    return std::nullopt;
  }
  message.bytes.append(part.payload);
  ++message.next;
  held.bytes += size;
  held_ += size;
  if ((part.header.flags & v1::LAST_PART) == 0) return std::nullopt;
  return take(found);
}

void PartsIn::lost(NodeId peer) {
  for (auto at = unfinished_.lower_bound(Key{peer, 0}); at != unfinished_.end() && at->first.first == peer;)
    static_cast<void>(take(at++));
}

}  // namespace cobus
