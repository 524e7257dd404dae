// SPDX-License-Identifier: Apache-2.0
//
// What leaves the workers of a shard: to a worker of the same shard at once, to other shards and other nodes
// collected, and handed over at the end of the turn or when much has gathered.
#include <algorithm>
#include <utility>

#include "node/worker/dead_letter.hpp"
#include "node/worker/exit_reason.hpp"
#include "node/worker/home.hpp"
#include "node/worker/node.hpp"

namespace cobus {
namespace {

constexpr std::uint32_t chain_length_max = 64;
constexpr std::size_t small_room = 4096;
// Two tags and two lengths.
constexpr std::size_t repeat_overhead_max = 12;

}  // namespace

Status Home::try_send(NodeId to_node, EnvelopePtr& envelope) {
  const bool here = to_node == node_id_;
  // By name: whoever has it now. A dead letter, as ever, when that is nobody.
  if (here && !envelope->to) envelope->to = node_.whereis(envelope->extra().to_name).worker;
  if (here && envelope->to) {
    if (envelope->to.shard() == shard_.index()) {
      Worker* const worker = find(envelope->to);
      if (worker == nullptr) {
        node_.dead_letter(DeadLetter::no_such_worker, *envelope);
        return exit_reason::noproc();
      }
      if (worker->mailbox.limits().overflow == Overflow::reject && !worker->waits_for(*envelope) &&
          !worker->mailbox.has_room_for(*envelope))
        return {Code::resource_exhausted, "the worker's mailbox is full"};
    } else if (envelope->to.shard() >= node_.shards()) {
      node_.dead_letter(DeadLetter::no_such_worker, *envelope);
      return exit_reason::noproc();
    } else if (!other_shard_has_room(*envelope)) {
      return {Code::resource_exhausted, "the worker's shard has too much to take in"};
    }
  }
  if (!full_elsewhere_.empty() && has_to_wait(to_node, *envelope)) [[unlikely]]
    return {Code::resource_exhausted, "the worker's mailbox is full"};
  if (!here && !may_go_to(to_node, envelope->payload_size()))
    return {Code::resource_exhausted, "as much waits for the worker's node as may"};
  send(to_node, std::move(envelope));
  return {};
}

bool Home::other_shard_has_room(const Envelope& envelope) const noexcept {
  const std::uint32_t shard = envelope.to.shard();
  const std::uint64_t collected = shard < outward_.size() ? outward_[shard].bytes : 0;
  return node_.home(shard).inbound_bytes() + collected < limits::shard_inbox_bytes_max;
}

void Home::send_when_there_is_room(SendInWaiting& waiting) {
  const Address to = waiting.to;
  if (to.node == node_id_ && to.worker.shard() == shard_.index()) {
    Worker* const worker = find(to.worker);
    if (worker == nullptr) {
      node_.dead_letter(DeadLetter::no_such_worker, *std::exchange(waiting.envelope, nullptr));
      return waiting.sent(exit_reason::noproc());
    }
    senders_[to.worker].push_back(waiting);
    worker->senders_wait = true;
    if (worker->mailbox.has_room_for(*waiting.envelope)) let_senders_in(*worker);
    return;
  }
  Status status = try_send(to.node, waiting.envelope);
  if (status.code() != Code::resource_exhausted) {
    waiting.envelope.reset();
    return waiting.sent(std::move(status));
  }
  if (FullElsewhere* const full = full_elsewhere(to)) return full->waiting.push_back(waiting);
  if (to.node != node_id_) return wait_for_node(waiting);
  far_senders_.push_back(waiting);
  look_again_soon();
}

// Of a worker that took a message, or that is gone.
void Home::let_senders_in(Worker& worker) noexcept {
  const bool gone = find(worker.id) == nullptr;
  // Those of this shard, who are let in one by one, would else keep it too full for any other.
  if (!let_in_from_elsewhere(worker, gone)) return;
  const auto found = senders_.find(worker.id);
  while (found != senders_.end() && !found->second.empty()) {
    SendInWaiting& first = found->second.front();
    if (first.gave_up()) {
      first.unlink();
      continue;
    }
    if (!gone && !worker.mailbox.has_room_for(*first.envelope)) return;
    first.unlink();
    if (gone) {
      node_.dead_letter(DeadLetter::no_such_worker, *std::exchange(first.envelope, nullptr));
      first.sent(exit_reason::noproc());
    } else {
      reach(worker, std::move(first.envelope));
      first.sent({});
    }
  }
  worker.senders_wait = told_full_.contains(worker.id);
  if (found != senders_.end()) senders_.erase(found);
}

EnvelopePtr Home::take_from_senders(Worker& worker, Worker::Wants wants) noexcept {
  EnvelopePtr taken;
  if (const auto found = senders_.find(worker.id); found != senders_.end()) {
    found->second.each([&](SendInWaiting& waiting) {
      if (taken != nullptr || waiting.gave_up() || !wants(*waiting.envelope)) return;
      waiting.unlink();
      taken = std::move(waiting.envelope);
      waiting.sent({});
    });
  }
  if (taken == nullptr) {
    look_elsewhere(worker, wants);
  } else {
    taken->arrival = static_cast<std::uint32_t>(++worker.received);
  }
  return taken;
}

void Home::send(NodeId to_node, EnvelopePtr envelope) {
  if (node_.observer() != nullptr) node_.show(*envelope, to_node);
  if (to_node != node_.id()) return send_away(to_node, *envelope);
  if (!envelope->to) {
    switch (envelope->kind) {
      case v1::CANCEL:
        return cancel_everywhere(*envelope);
      case v1::REQUEST:
        envelope->extra().caller = Caller{node_.name(), node_.role()};
        return send_to_shard(node_.place(), std::move(envelope));
      case v1::MESSAGE: {
        const Address named = node_.whereis(envelope->extra().to_name);
        if (!named) return node_.dead_letter(DeadLetter::no_such_name, *envelope);
        envelope->to = named.worker;
        break;
      }
      default:
        return receive(std::move(envelope));
    }
  }
  send_to_shard(envelope->to.shard(), std::move(envelope));
}

EnvelopePtr Home::send_and_keep(NodeId to_node, EnvelopePtr envelope) {
  if (to_node == node_.id()) {
    send(to_node, std::move(envelope));
    return nullptr;
  }
  if (node_.observer() != nullptr) node_.show(*envelope, to_node);
  send_away(to_node, *envelope);
  return envelope;
}

void Home::send_to_shard(unsigned shard, EnvelopePtr envelope) {
  if (shard == shard_.index()) return receive(std::move(envelope));
  if (shard >= node_.shards()) return answer_for_nobody(*envelope);
  if (outward_.size() <= shard) outward_.resize(node_.shards());
  Outward& outward = outward_[shard];
  outward.bytes += envelope->inbox_cost();
  outward.chain.add(envelope.release());
  if (++outward.count >= chain_length_max) hand_over(shard);
}

void Home::hand_over(unsigned shard) noexcept {
  Outward& outward = outward_[shard];
  node_.home(shard).expect_bytes(outward.bytes);
  outward.bytes = 0;
  outward.count = 0;
  node_.home(shard).shard().post(outward.chain);
}

// An address of this node with a shard that it has not.
void Home::answer_for_nobody(const Envelope& envelope) {
  const Address nobody{node_.id(), envelope.to};
  switch (envelope.kind) {
    case v1::MONITOR:
      return send_signal(v1::DOWN, nobody, envelope.from, envelope.call, exit_reason::noproc());
    case v1::LINK:
      return send_signal(v1::EXIT, nobody, envelope.from, 0, exit_reason::noproc());
    case v1::UNLINK:
      return send_signal(v1::UNLINK_ACK, nobody, envelope.from, envelope.call);
    case v1::REQUEST:
      return refuse(envelope, exit_reason::noproc());
    default:
      node_.dead_letter(DeadLetter::no_such_worker, envelope);
  }
}

// Only the shard that handles the call knows it. In order with the request, which may be on its way still.
void Home::cancel_everywhere(const Envelope& cancel) {
  for (unsigned shard = 0; shard < node_.shards(); ++shard) {
    auto copy = std::make_unique<SignalEnvelope>();
    copy->kind = v1::CANCEL;
    copy->flags = cancel.flags;
    copy->from = cancel.from;
    copy->call = cancel.call;
    send_to_shard(shard, std::move(copy));
  }
}

void Home::send_away(NodeId to_node, Envelope& envelope) {
  const std::size_t size = envelope.payload_size();
  if (goes_in_parts(to_node, envelope, size)) [[unlikely]] {
    const bool too_large =
        size > limits::message_bytes_max || (size > limits::payload_bytes_max && !takes_parts(to_node));
    return too_large ? refuse_too_large(to_node, envelope, size) : send_in_parts(to_node, envelope, size);
  }
  write_out(to_node, envelope, size);
}

bool Home::send_at_once(NodeId node, Envelope& message) {
  if (node == node_id_ || !message.to || !full_elsewhere_.empty() || node_.observer() != nullptr)
    return false;
  const std::size_t size = message.payload_size();
  if (size > limits::message_bytes_max || !may_go_to(node, size)) return false;
  if (!goes_in_parts(node, message, size)) [[likely]] {
    write_out(node, message, size);
    return true;
  }
  if (size > limits::payload_bytes_max && !takes_parts(node)) return false;
  send_in_parts(node, message, size);
  return true;
}

void Home::write_out(NodeId to_node, const Envelope& envelope, std::size_t size) {
  Outbound::Chunk& chunk = outbound_.to(to_node);
  const auto payload = [&envelope](std::uint8_t* into) { envelope.write_payload(into); };
  const Outbound::Said said = Outbound::Said::of(envelope);
  if (said.kind != v1::KIND_UNSPECIFIED && said == chunk.last &&
      chunk.envelopes.size() + size + repeat_overhead_max <= limits::frame_bytes_target &&
      takes_repeats(to_node, chunk)) {
    append_repeat(chunk.envelopes, size, payload);
    return;
  }
  std::string status;
  const TimePoint now = envelope.deadline == never ? never : shard_.clock().now();
  const EnvelopeHeader header = wire_header(envelope, now, status);
  if (!chunk.envelopes.empty() &&
      chunk.envelopes.size() + envelope_size(header, size) > limits::frame_bytes_target)
    submit(to_node, chunk);
  chunk.make_room();
  append_envelope(chunk.envelopes, header, size, payload);
  chunk.last = said;
  outbound_.written();
}

bool Home::takes_repeats(NodeId node, Outbound::Chunk& chunk) const {
  if (!chunk.takes_repeats) {
    const std::optional<link::PeerInfo> peer = node_.peer(node);
    chunk.takes_repeats = peer && (peer->features & limits::feature_repeats) != 0;
  }
  return *chunk.takes_repeats;
}

void Home::refuse_too_large(NodeId to_node, const Envelope& envelope, std::size_t size) {
  const std::size_t most = takes_parts(to_node) ? limits::message_bytes_max : limits::payload_bytes_max;
  const Status too_large(Code::out_of_range, "a message of " + std::to_string(size) +
                                                 " bytes is above the limit of " + std::to_string(most));
  if (envelope.kind == v1::REQUEST) return refuse(envelope, too_large, to_node);
  auto error = std::make_unique<SignalEnvelope>();
  error->kind = v1::ERROR;
  error->from = envelope.from;
  error->to = envelope.to;
  error->call = envelope.call;
  error->extra().status = too_large;
  send_away(to_node, *error);
}

void Home::submit(NodeId to_node, Outbound::Chunk& chunk) {
  submitted_ = true;
  if (chunk.envelopes.empty()) return;
  chunk.begin_anew();
  const std::size_t room = chunk.envelopes.capacity();
  if (room > small_room && chunk.usual < room / 4) {
    // It may wait for long, so it takes no more memory than it needs.
    node_.links().submit(to_node, std::string(chunk.envelopes), downs_known_);
    chunk.envelopes.clear();
    return;
  }
  chunk.envelopes = node_.links().submit(to_node, std::move(chunk.envelopes), downs_known_);
}

void Home::flush() {
  for (unsigned shard = 0; shard < outward_.size(); ++shard) {
    if (!outward_[shard].chain.empty()) hand_over(shard);
  }
  if (taken_in_bytes_ != 0) {
    inbound_bytes_.fetch_sub(std::exchange(taken_in_bytes_, 0), std::memory_order_relaxed);
  }
  if (!parts_.empty()) [[unlikely]]
    pump_parts();
  submit_outbound();
  if (std::exchange(submitted_, false) && shard_.index() != 0) node_.links().wake();
}

void Home::submit_outbound() {
  outbound_.submit_all([this](NodeId to_node, Outbound::Chunk& chunk) { submit(to_node, chunk); });
}

void Home::knows_of_downs(std::uint64_t downs) {
  submit_outbound();
  downs_known_ = downs;
}

}  // namespace cobus
