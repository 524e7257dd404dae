// SPDX-License-Identifier: Apache-2.0
//
// What a link could not take to its node. Whoever waits for something that will not come hears of it at once:
// the caller of a request, the watcher of a worker, both ends of a stream that would have a hole.
#include "node/worker/undeliverable.hpp"

#include <cobus/v1/envelope.pb.h>
#include <fmt/format.h>

#include "proto/log_text.hpp"

namespace cobus {
namespace {

// An ERROR, DOWN, EXIT or UNLINK_ACK in the name of the node that was not reached.
EnvelopePtr answer_instead(NodeId node, const EnvelopeHeader& header, v1::Kind kind, const Status& reason) {
  auto error = std::make_unique<SignalEnvelope>();
  error->kind = kind;
  error->from = Address{node, kind == v1::ERROR ? WorkerId{} : WorkerId{header.to}};
  error->to = WorkerId{header.from};
  error->call = kind == v1::EXIT ? 0 : header.call;
  // A worker that cannot be reached is `noconnection` to who watches it, whatever keeps us from it.
  error->extra().status =
      kind == v1::ERROR ? reason : Status(Code::unavailable, std::string(reason.message()));
  error->extra().status.with("started", "no");  // it never left
  if (error->extra().status.code() == Code::unavailable) error->extra().status.with("cause", "connection");
  return error;
}

// A handler's answer, while the session goes on without it: nothing else would end its stream.
void end_stream(Node& node, const EnvelopeHeader& header, const Status& reason) {
  const WorkerId handler{header.from};
  if (handler.shard() >= node.shards() || TypeId{header.type} == type_id_of<v1::Progress>()) return;
  node.run_on(handler.shard(), [handler, call = header.call, reason](Home& home) {
    Worker* const worker = home.find(handler);
    if (worker != nullptr && worker->handled != nullptr) worker->handled->not_sent(call, reason);
  });
}

// As people know a node that has a session here: its role and name; empty for another.
std::string name_for_log(const Node& here, NodeId node) {
  if (node == here.id()) return "node " + here.name();
  const std::optional<link::PeerInfo> peer = here.peer(node);
  if (!peer) return {};
  return fmt::format("{} {}", link::role_name(peer->role), log_text(peer->name, limits::name_bytes_max));
}

}  // namespace

std::string between(const Node& here, NodeId from, NodeId to) {
  const std::string sender = name_for_log(here, from);
  const std::string receiver = name_for_log(here, to);
  if (from == to && !sender.empty()) return fmt::format(" (within {})", sender);
  if (sender.empty() && receiver.empty()) return {};
  if (receiver.empty()) return fmt::format(" (from {})", sender);
  if (sender.empty()) return fmt::format(" (to {})", receiver);
  return fmt::format(" (from {} to {})", sender, receiver);
}

void Node::on_undeliverable(NodeId node, std::string_view envelopes, const Status& reason) {
  return_unsent(*this, node, envelopes, reason);
}

void return_unsent(Node& here, NodeId node, std::string_view envelopes, const Status& reason) {
  const auto tell = [&](const EnvelopeView& view) {
    const EnvelopeHeader& header = view.header;
    const v1::Kind kind = header.kind;
    if (kind == v1::PART) {
      const unsigned shard = shard_of_part(header.call);
      if (shard >= here.shards()) return;
      return here.run_on(
          shard, [node, id = header.call, reason](Home& home) { home.part_undeliverable(node, id, reason); });
    }
    if (kind == v1::MONITOR) return here.deliver(answer_instead(node, header, v1::DOWN, reason));
    if (kind == v1::LINK) return here.deliver(answer_instead(node, header, v1::EXIT, reason));
    // There is no link at the other end, so it is undone.
    if (kind == v1::UNLINK) return here.deliver(answer_instead(node, header, v1::UNLINK_ACK, reason));
    if (kind == v1::REQUEST) return here.deliver(answer_instead(node, header, v1::ERROR, reason));
    const bool upstream = goes_upstream(kind, header.flags);
    if (upstream && (kind == v1::ITEM || kind == v1::END))
      return here.deliver(answer_instead(node, header, v1::ERROR, reason));
    // Neither what only tells the other end that nobody waits any more, nor the end of a link.
    const bool answer = kind == v1::REPLY || kind == v1::ITEM || kind == v1::END || kind == v1::ERROR;
    if (!answer && kind != v1::MESSAGE && !(kind == v1::EXIT && header.call != 0)) return;
    const bool full = reason.code() == Code::resource_exhausted;
    if (kind == v1::ITEM && full) end_stream(here, header, reason);
    // Whoever waited for the rest of a stream is gone, or hears from its own node that we are.
    if (answer && kind != v1::REPLY && !full) return;
    // The session with its caller has ended, and the call with it, as when a client leaves before its answer.
    const bool late = kind == v1::REPLY && reason.code() == Code::unavailable;
    here.dead_letter(late ? DeadLetter::late : DeadLetter::not_delivered, node, header);
  };
  static_cast<void>(read_frame(envelopes, tell));
}

void refuse_at_once(Node& here, const Envelope& request, Status status, std::uint64_t downs) {
  if (!request.from) return here.dead_letter(DeadLetter::refused, request);
  auto error = std::make_unique<SignalEnvelope>();
  error->kind = v1::ERROR;
  error->flags = request.flags & v1::HIDDEN;
  error->from.node = here.id();
  error->to = request.from.worker;
  error->call = request.call;
  error->extra().status = std::move(status);
  here.show(*error, request.from.node);
  if (request.from.node == here.id()) return here.deliver(std::move(error));
  std::string written;
  std::string envelopes;
  append_envelope(envelopes, wire_header(*error, never, written), std::string_view());
  here.links().submit(request.from.node, std::move(envelopes), downs);
}

// The end of the session, which follows, tells all who wait for something from there.
void Node::on_unacknowledged(NodeId node, std::string_view envelopes, const Status& /*reason*/) {
  static_cast<void>(read_frame(envelopes, [&](const EnvelopeView& view) {
    const EnvelopeHeader& header = view.header;
    const bool asks_to_end = header.kind == v1::EXIT && header.call != 0;
    const bool whole = header.kind == v1::PART && (header.flags & v1::LAST_PART) != 0;
    if (header.kind != v1::MESSAGE && header.kind != v1::REPLY && !asks_to_end && !whole) return;
    // A client that leaves while its answer is on the way does not want it any more.
    const std::optional<link::PeerInfo> to = peer(node);
    const bool client = to && to->role != v1::NODE && to->role != v1::BROKER;
    dead_letter(client && header.kind == v1::REPLY ? DeadLetter::late : DeadLetter::unacknowledged, node,
                header);
  }));
}

void Node::dead_letter(DeadLetter why, NodeId to, const EnvelopeHeader& header) noexcept {
  dead_letters_.add(
      why, id(), Address{id(), WorkerId{header.from}}, Address{to, WorkerId{header.to}}, header.to_name,
      [&] { return what_was_sent(header.kind, TypeId{header.type}, {}) + between(*this, id(), to); },
      clock().now());
}

}  // namespace cobus
