// SPDX-License-Identifier: Apache-2.0
//
// What comes to a node and where it goes: envelopes and news of other nodes, from the link's thread to the
// shards, and what an observer sees of them.
#include <fmt/format.h>

#include "node/worker/node.hpp"
#include "node/worker/undeliverable.hpp"

namespace cobus {
namespace {

// Whom answers are for that nobody waits for: no node has so many shards.
constexpr WorkerId nobody = WorkerId::make(0xff, 0xffffff, 0xffffffff);

// Who only calls methods, or looks on, may not reach into workers. A request to one is refused where it
// arrives, since its caller waits for an answer.
bool may_send(v1::Role role, const Envelope& envelope) noexcept {
  switch (envelope.kind) {
    case v1::CREDIT:  // of no call and from nobody: that messages wait there for room
      if (envelope.call != 0 || envelope.from.worker) return true;
      [[fallthrough]];
    case v1::MESSAGE:
    case v1::LINK:
    case v1::UNLINK:
    case v1::UNLINK_ACK:
    case v1::EXIT:
    case v1::PUBLISH:
      return role == v1::NODE || role == v1::ADMIN;
    case v1::MONITOR:
    case v1::DEMONITOR:
      return role == v1::NODE || role == v1::ADMIN || role == v1::SUBMIT;
    case v1::DOWN:  // of a node as a whole: nobody but we can say that it is
      return static_cast<bool>(envelope.from.worker);
    default:
      return true;
  }
}

}  // namespace

void Node::show(const Envelope& envelope, NodeId to_node) {
  TrafficObserver* watching = observer();
  if (watching == nullptr || (envelope.flags & v1::HIDDEN) != 0) return;
  bool elsewhere = false;
  if (to_node != id()) {
    // What goes to another node daemon is seen where it arrives.
    const std::optional<link::PeerInfo> to = peer(to_node);
    elsewhere = !to || to->role == v1::NODE;
    if (elsewhere && envelope.kind != v1::REQUEST) return;
  }
  const std::function<std::string()> body = [&envelope] {
    std::string bytes(envelope.payload_size(), '\0');
    envelope.write_payload(reinterpret_cast<std::uint8_t*>(bytes.data()));
    return bytes;
  };
  const EnvelopeExtra& extra = envelope.extra();
  watching->saw({envelope.kind, envelope.from, Address{to_node, envelope.to}, extra.to_name, envelope.type,
                 envelope.call, envelope.payload_size(), extra.trace, &extra.status, elsewhere, body});
}

void Node::denied(NodeId node, const Status& why) {
  const std::optional<link::PeerInfo> from = peer(node);
  const std::scoped_lock lock(denials_mutex_);
  denials_.say(from ? "a call of " + from->name : "a call of this node",
               from ? std::optional(from->key) : std::nullopt, why.message());
}

void Node::on_peer_up(const link::PeerInfo& peer, link::TargetId target) {
  for (PeerListener* listener : listeners_) listener->on_peer_up(peer, target);
}

// The listeners first: a caller that hears of the loss, on any shard, chooses among the nodes without it.
void Node::on_peer_closing(const link::PeerInfo& peer, const Status& reason) {
  for (PeerListener* listener : listeners_) listener->on_peer_down(peer, reason);
}

void Node::on_peer_down(const link::PeerInfo& peer, const Status& reason) {
  accounts_.lost(peer.node);
  large_accounts_.lost(peer.node);
  answer_accounts_.lost(peer.node);
  arriving_answers_ = nullptr;
  Status status(Code::unavailable, "lost node " + peer.name + ": " + reason.message());
  status.with("cause", "connection");
  // Whoever watches the node hears of it when every monitor and link on its workers has fired, on all shards.
  ++downs_;
  parts_.lost(peer.node);
  const auto left = std::make_shared<std::atomic<unsigned>>(shards());
  for (unsigned i = 0; i < shards(); ++i) {
    run_on(i, [this, left, lost = peer.node, status, downs = downs_](Home& home) {
      home.knows_of_downs(downs);
      home.peer_lost(lost, status);
      if (left->fetch_sub(1) != 1) return;
      for (unsigned j = 0; j < shards(); ++j)
        run_on(j, [lost, status](Home& other) { other.tell_node_watchers(lost, status); });
    });
  }
}

void Node::on_peer_suspected(const link::PeerInfo& peer, bool suspected) {
  for (PeerListener* listener : listeners_) listener->on_peer_suspected(peer, suspected);
}

// Only the shard that handles a call knows it, and only those that send to a worker, that its mailbox is
// full.
void Node::deliver_to_all(const Envelope& signal, std::vector<Arriving>& into) {
  for (unsigned i = 0; i < shards(); ++i) {
    auto copy = std::make_unique<SignalEnvelope>();
    copy->kind = signal.kind;
    copy->flags = signal.flags;
    copy->from = signal.from;
    copy->call = signal.call;
    copy->type = signal.type;
    if (signal.extra().credit != 0) {
      copy->extra().credit = signal.extra().credit;
      copy->extra().status = signal.extra().status;
    }
    if (PeerAccount* account = signal.charged_to()) copy->charge(*account);
    arrive(i, std::move(copy), into);
  }
}

void Node::deliver(EnvelopePtr envelope) {
  std::vector<Arriving> alone;
  sort_in(std::move(envelope), alone);
  bring(alone);
}

void Node::arrive(unsigned shard, EnvelopePtr envelope, std::vector<Arriving>& into) {
  if (into.size() <= shard) into.resize(shards());
  into[shard].bytes += envelope->inbox_cost();
  into[shard].chain.add(envelope.release());
}

// A shard's inbox is touched once for all that come together.
void Node::bring(std::vector<Arriving>& all) noexcept {
  // Shard 0 is awake in its own poll: what it finds needs no wake. Not so when the keeper polls.
  const bool by_shard0 = waiting_in_link_ == this;
  if (by_shard0) places_[0]->shard.awake();
  for (unsigned i = 0; i < all.size(); ++i) {
    if (all[i].bytes == 0) continue;
    if (by_shard0) brought_while_waiting_ = true;
    places_[i]->home.expect_bytes(std::exchange(all[i].bytes, 0));
    places_[i]->shard.post(all[i].chain);
  }
}

void Node::sort_in(EnvelopePtr envelope, std::vector<Arriving>& into) {
  if (!envelope->to &&
      (envelope->kind == v1::CANCEL || (envelope->kind == v1::CREDIT && envelope->call == 0)))
    return deliver_to_all(*envelope, into);
  if (!envelope->to && envelope->kind == v1::MESSAGE) {
    const Address named = whereis(envelope->extra().to_name);
    if (!named) return dead_letter(DeadLetter::no_such_name, *envelope);
    envelope->to = named.worker;
  }
  const bool places = !envelope->to && envelope->kind == v1::REQUEST;
  const unsigned to = places ? place() : envelope->to.shard();
  if (to < shards()) {
    if (!fits(*envelope, places_[to]->home.inbound_bytes() + (to < into.size() ? into[to].bytes : 0))) {
      if (places) places_[to]->home.arrived();
      return;
    }
    arrive(to, std::move(envelope), into);
  } else if (envelope->kind == v1::MONITOR || envelope->kind == v1::LINK || envelope->kind == v1::UNLINK ||
             envelope->kind == v1::REQUEST) {
    arrive(0, std::move(envelope), into);  // answers for the worker that never was
  } else if (envelope->to != nobody) {
    dead_letter(DeadLetter::no_such_worker, *envelope);
  }
}

void Node::send_unanswered(NodeId to, std::string_view method, TypeId type, std::string_view payload,
                           Duration timeout) {
  EnvelopeHeader header;
  header.from = nobody.value;
  header.kind = v1::REQUEST;
  header.type = static_cast<std::uint64_t>(type);
  header.call = ++unanswered_;
  header.time_left_us =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(timeout).count());
  header.to_name = method;
  header.flags = v1::HIDDEN;
  std::string envelope;
  append_envelope(envelope, header, payload);
  links_.submit(to, std::move(envelope));
  links_.wake();
}

// Whether a shard takes it from another node while so much waits for it. A request to a shard that is behind
// is answered without its payload: by the shard, as long as it has space for the request, else at once.
// Messages are bounded by what each node may have.
bool Node::fits(Envelope& envelope, std::uint64_t waiting) noexcept {
  if (waiting < limits::shard_inbox_bytes_max || envelope.kind != v1::REQUEST) return true;
  Status behind(Code::resource_exhausted, "node " + name() + " is behind: try again");
  behind.with("started", "no");
  if (waiting < 2 * limits::shard_inbox_bytes_max) {
    envelope.drop_payload();
    envelope.extra().status = std::move(behind);
    return true;
  }
  refuse_at_once(*this, envelope, std::move(behind), downs_);
  return false;
}

// Charges what came to the account of its node. When that is full, a request and an item go on without their
// payload, to be refused, and to end the stream that would have a hole; false: it is a dead letter.
bool Node::admits(const link::PeerInfo& peer, Envelope& envelope) {
  // One large message alone would else keep all small ones out.
  const bool large = envelope.payload_size() > limits::payload_bytes_max;
  PeerAccount& account = (large ? large_accounts_ : accounts_).of(peer.node);
  const std::uint64_t before = account.held();
  envelope.charge(account);
  const std::uint64_t held = account.held();
  envelope.crowds = held > limits::peer_held_bytes_max / 2;
  if (large ? before <= limits::message_bytes_max + limits::envelope_overhead_bytes_max
            : held <= limits::peer_held_bytes_max)
    return true;
  const bool progress = envelope.type == type_id_of<v1::Progress>() && !goes_upstream(envelope);
  if (envelope.kind == v1::MESSAGE || progress) {
    dead_letter(DeadLetter::mailbox_full, envelope);
    return false;
  }
  Status full(Code::resource_exhausted,
              fmt::format("node {} holds {} MiB that came from {}, which is all it may", name(), held >> 20,
                          peer.name));
  if (envelope.kind == v1::REQUEST) full.with("started", "no");
  if (envelope.kind == v1::REQUEST && held > 2 * limits::peer_held_bytes_max) {
    refuse_at_once(*this, envelope, std::move(full), downs_);
    return false;
  }
  envelope.drop_payload();
  envelope.extra().status = std::move(full);
  static_cast<EncodedEnvelope&>(envelope).charge_extra();
  return true;
}

void Node::dead_letter(DeadLetter why, const link::PeerInfo& from, const EnvelopeHeader& header) noexcept {
  dead_letters_.add(
      why, id(), Address{from.node, WorkerId{header.from}}, Address{id(), WorkerId{header.to}},
      header.to_name,
      [&] { return what_was_sent(header.kind, TypeId{header.type}, {}) + between(*this, from.node, id()); },
      clock().now());
}

void Node::dead_letter(DeadLetter why, const Envelope& envelope, NodeId at) noexcept {
  dead_letters_.add(
      why, id(), envelope.from, Address{at == NodeId::none ? id() : at, envelope.to},
      envelope.extra().to_name,
      [&] {
        return what_was_sent(envelope.kind, envelope.type, envelope.type_name()) +
               between(*this, envelope.from.node, at == NodeId::none ? id() : at);
      },
      clock().now());
}

std::string Node::what_was_sent(v1::Kind kind, TypeId type, std::string_view name) const {
  std::string what = v1::Kind_Name(kind);
  if (type == TypeId::none) return what;
  what += " of type ";
  if (!name.empty()) return what.append(name);
  return what + (type_names_ ? type_names_(type) : fmt::format("{:016x}", static_cast<std::uint64_t>(type)));
}

void Node::on_envelope(const link::PeerInfo& peer, const EnvelopeView& view, link::FrameIn frame) {
  const EnvelopeHeader& header = view.header;
  if (header.kind == v1::PART) [[unlikely]]
    return on_part(peer, view);
  if ((header.kind == v1::KIND_UNSPECIFIED || !v1::Kind_IsValid(header.kind)) &&
      (header.from == 0 || header.call == 0)) [[unlikely]]
    return dead_letter(DeadLetter::unknown_kind, peer, header);  // and nobody waits for an answer
  if (TrafficObserver* watching = observer();
      watching != nullptr && ((view.header.flags & v1::HIDDEN) == 0 || peer.role == v1::SUBMIT)) {
    const std::function<std::string()> body = [&view] { return std::string(view.payload); };
    const Status status = header.status.empty() ? Status() : decode_status(header.status);
    watching->saw({header.kind, Address{peer.node, WorkerId{header.from}}, Address{id(), WorkerId{header.to}},
                   header.to_name, TypeId{header.type}, header.call, view.payload.size(),
                   TraceContext{header.trace_high, header.trace_low, header.trace_span, header.trace_flags},
                   &status, false, body});
  }
  EnvelopePtr envelope =
      from_wire(view, peer.node, view.header.time_left_us != 0 ? clock().now() : never, &frame);
  if (!may_send(peer.role, *envelope)) return dead_letter(DeadLetter::not_allowed, *envelope);
  // Who may not observe may not hide either.
  if (peer.role == v1::SUBMIT) envelope->flags &= ~static_cast<std::uint32_t>(v1::HIDDEN);
  if (envelope->kind == v1::REQUEST) envelope->extra().caller = Caller{peer.name, peer.role};
  if (!is_charged(envelope->kind)) {
    arriving_answers_ = &answer_accounts_.of(peer.node);
    envelope->charge(*arriving_answers_);
  } else if (!admits(peer, *envelope)) {
    return;
  }
  sort_in(std::move(envelope), arriving_);
}

void Node::on_part(const link::PeerInfo& peer, const EnvelopeView& part) {
  std::optional<LargeBytes> complete = parts_.add(peer.node, part);
  if (!complete) return;
  auto whole = std::make_shared<const LargeBytes>(std::move(*complete));
  const auto share = [](void* owner) -> std::shared_ptr<const void> {
    return *static_cast<std::shared_ptr<const LargeBytes>*>(owner);
  };
  FrameReader reader(whole->view());
  EnvelopeView view;
  std::string_view more;
  if (!reader.next(view) || view.header.kind == v1::PART || FrameReader(reader).skip(more))
    return dead_letter(DeadLetter::malformed, peer, part.header);
  on_envelope(peer, view, link::FrameIn(whole->view(), share, &whole));
}

Status Node::on_frame_end(const link::PeerInfo& peer) {
  bring(arriving_);
  const PeerAccount* const answers = std::exchange(arriving_answers_, nullptr);
  std::uint64_t held = accounts_.of(peer.node).held();
  if (held <= limits::peer_held_bytes_end) [[likely]] {
    held = answers != nullptr ? answers->held() : 0;
    if (held <= limits::peer_answers_bytes_end) [[likely]]
      return {};
  }
  return {Code::resource_exhausted,
          fmt::format("it sends without heed of credit and bounds: {} MiB of it are held", held >> 20)};
}

void Node::on_drained(NodeId node, const Status& how) {
  for (unsigned i = 0; i < shards(); ++i)
    run_on(i, [node, how](Home& home) { home.node_drained(node, how); });
}

void Node::on_target_failed(link::TargetId target, const Status& reason) {
  for (PeerListener* listener : listeners_) listener->on_target_failed(target, reason);
}

void Node::on_enrolled(const v1::Certificate& certificate) {
  for (PeerListener* listener : listeners_) listener->on_enrolled(certificate);
}

}  // namespace cobus
