// SPDX-License-Identifier: Apache-2.0
//
// How a shard sends messages that are too large for a frame: one after the other to each node, in parts, so
// few at a time that what others send there waits behind little. What the sender of one sends afterwards to
// the same node follows behind it. All shards together have no more under way to one node than it takes.
#include <algorithm>
#include <utility>

#include "node/worker/dead_letter.hpp"
#include "node/worker/home.hpp"
#include "node/worker/node.hpp"
#include "node/worker/undeliverable.hpp"

namespace cobus {
namespace {

// While the link takes some, and when it took none.
constexpr Duration look_while_some_go = std::chrono::microseconds(200);
constexpr Duration look_while_none_goes = std::chrono::milliseconds(1);

}  // namespace

bool Home::goes_in_parts(NodeId to_node, const Envelope& envelope, std::size_t size) const noexcept {
  if (size > limits::payload_bytes_max) [[unlikely]]
    return true;
  if (parts_.empty()) [[likely]]
    return false;
  const auto found = parts_.find(to_node);
  return found != parts_.end() && found->second.has_of(envelope.from.worker);
}

void Home::send_in_parts(NodeId to_node, Envelope& envelope, std::size_t size) {
  PartsOut::Waiting waiting;
  waiting.from = envelope.from.worker;
  waiting.to = envelope.to;
  waiting.type = envelope.type;
  waiting.whole = size <= limits::payload_bytes_max;
  waiting.bytes = envelope.take_written();
  if (waiting.bytes.size() == 0) waiting.bytes = write_whole(envelope, size, shard_.clock().now());
  PartsOut& parts = parts_[to_node];
  const bool may_be_refused =
      envelope.kind == v1::MESSAGE || envelope.kind == v1::REQUEST || envelope.kind == v1::ITEM;
  if (may_be_refused && parts.bytes + size > limits::parts_waiting_bytes_max) {
    return return_unsent(
        node_, to_node, waiting.bytes.view(),
        {Code::resource_exhausted, std::to_string(parts.bytes) + " bytes of large messages wait for node " +
                                       to_string(to_node) + " already; send less at a time"});
  }
  parts.bytes += waiting.bytes.size();
  parts.waiting.push_back(std::move(waiting));
}

bool Home::takes_parts(NodeId node) const {
  const std::optional<link::PeerInfo> peer = node_.peer(node);
  return !peer || (peer->features & limits::feature_parts) != 0;
}

void Home::pump_parts() {
  bool more = false;
  bool some_went = false;
  std::vector<NodeId> rested;
  for (auto at = parts_.begin(); at != parts_.end();) {
    const NodeId node = at->first;
    PartsOut& parts = at->second;
    while (!parts.waiting.empty() && pump(node, parts)) some_went = true;
    if (parts.bytes < limits::peer_waiting_bytes_max / 2 && large_behind_.contains(node))
      rested.push_back(node);
    more = more || !parts.waiting.empty();
    at = parts.waiting.empty() ? parts_.erase(at) : std::next(at);
  }
  for (const NodeId node : rested) parts_drained(node);
  if (more && !look_for_room_.armed())
    shard_.timers().start(look_for_room_,
                          shard_.clock().now() + (some_went ? look_while_some_go : look_while_none_goes));
}

// One step with the first that waits. False when it has to wait.
bool Home::pump(NodeId node, PartsOut& parts) {
  PartsOut::Waiting& first = parts.waiting.front();
  link::Backlog& backlog = backlog_of(node);
  if (backlog.waiting() > limits::parts_ahead_bytes_max) return false;
  Outbound::Chunk& chunk = outbound_.to(node);
  if (first.whole) {  // room for it was made when it was sent
    if (chunk.envelopes.size() + first.bytes.size() > limits::frame_bytes_target) submit(node, chunk);
    chunk.envelopes += first.bytes.view();
    chunk.last = {};
    outbound_.written();
    finish_first(node, parts);
    return true;
  }
  if (first.id == 0) {
    if (!takes_parts(node)) {
      return_unsent(node_, node, first.bytes.view(),
                    {Code::out_of_range, "the node takes no message above " +
                                             std::to_string(limits::payload_bytes_max) + " bytes"});
      finish_first(node, parts);
      return true;
    }
    if (!backlog.begin_parts(first.bytes.size())) return false;
    first.id = part_id(++last_part_, shard_.index());
  } else if (!node_.peer(node)) {
    return false;  // the first part makes the link dial
  }
  const std::size_t from = std::size_t{first.next} * limits::part_bytes;
  const std::string_view slice = first.bytes.view().substr(from, limits::part_bytes);
  const bool last = from + slice.size() == first.bytes.size();
  const EnvelopeHeader header{.to = first.to.value,
                              .from = first.from.value,
                              .kind = v1::PART,
                              .type = static_cast<std::uint64_t>(first.type),
                              .call = first.id,
                              .credit = first.next,
                              .flags = last ? static_cast<std::uint32_t>(v1::LAST_PART) : 0};
  chunk.make_room(envelope_size(header, slice.size()));
  append_envelope(chunk.envelopes, header, slice);
  chunk.last = {};
  submit(node, chunk);
  ++first.next;
  if (last) finish_first(node, parts);
  return true;
}

LargeBytes Home::finish_first(NodeId node, PartsOut& parts) {
  PartsOut::Waiting& first = parts.waiting.front();
  if (first.id != 0) backlog_of(node).end_parts(first.bytes.size());
  parts.bytes -= first.bytes.size();
  LargeBytes bytes = std::move(first.bytes);
  parts.waiting.pop_front();
  return bytes;
}

void Home::part_undeliverable(NodeId node, std::uint64_t id, const Status& reason) {
  const auto found = parts_.find(node);
  if (found == parts_.end() || found->second.waiting.empty() || found->second.waiting.front().id != id)
    return;
  const LargeBytes bytes = finish_first(node, found->second);
  bool is_request = false;
  static_cast<void>(read_frame(bytes.view(), [&](const EnvelopeView& view) {
    is_request = view.header.kind == v1::REQUEST;
    if (!is_request) return;
    // Its caller is of this shard, and hears of it before it hears that the node is lost.
    Status status = reason;
    status.with("started", "no");
    if (status.code() == Code::unavailable) status.with("cause", "connection");
    refuse(*from_wire(view, node_id_, shard_.clock().now()), std::move(status), node);
  }));
  if (!is_request) return_unsent(node_, node, bytes.view(), reason);
}

// Calls that wait for an answer from there have heard of it.
void Home::parts_lost(NodeId node) {
  const auto found = parts_.find(node);
  if (found == parts_.end()) return;
  PartsOut& parts = found->second;
  while (!parts.waiting.empty()) {
    static_cast<void>(read_frame(parts.waiting.front().bytes.view(), [&](const EnvelopeView& view) {
      if (view.header.kind == v1::MESSAGE || view.header.kind == v1::REPLY)
        node_.dead_letter(DeadLetter::not_delivered, node, view.header);
    }));
    finish_first(node, parts);
  }
  parts_.erase(found);
}

}  // namespace cobus
