// SPDX-License-Identifier: Apache-2.0
//
// Room in mailboxes of other shards and other nodes, and on the way to a node. A message from elsewhere that
// finds a full mailbox is taken all the same, and where it came from is told "full": whoever sends to that
// worker there waits. When the mailbox has drained to half its bounds they are told "room". A home where
// somebody waits says so, once for a type of message, so that a worker that waits for just that type gets it
// past its full mailbox; and one that asks about a mailbox that is not full to it hears "room" at once, so no
// news of an earlier session holds anybody. All of it are CREDIT envelopes of no call
// (proto/docs/protocol.md), in order with what else passes.
#include <algorithm>
#include <utility>

#include "node/worker/dead_letter.hpp"
#include "node/worker/exit_reason.hpp"
#include "node/worker/home.hpp"
#include "node/worker/node.hpp"

namespace cobus {
namespace {

// Types that one home may have asked about for one worker. More of them wait for room like any other.
constexpr std::size_t asked_types_max = 16;
constexpr Duration look_for_room_every = std::chrono::milliseconds(1);
constexpr std::size_t looks_at_once = 256;

// Of nodes that were sent to lately, known or not; those for which nothing waits are forgotten.
constexpr std::size_t backlogs_max = 4096;

bool contains(const std::vector<TypeId>& types, TypeId type) {
  return std::ranges::find(types, type) != types.end();
}

EnvelopePtr news_of_room(Address from, WorkerId to, TypeId type) {
  auto envelope = std::make_unique<SignalEnvelope>();
  envelope->kind = v1::CREDIT;
  envelope->from = from;
  envelope->to = to;
  envelope->type = type;
  return envelope;
}

}  // namespace

// Where an envelope came from, when that is not this shard.
std::optional<Elsewhere> Home::elsewhere(const Envelope& envelope) const noexcept {
  const Address& from = envelope.from;
  if (from.node == NodeId::none) return std::nullopt;
  if (from.node != node_id_) return Elsewhere{from.node, 0};
  const std::uint32_t shard = from.worker.shard();
  if (shard == shard_.index() || shard >= node_.shards()) return std::nullopt;
  return Elsewhere{node_id_, shard};
}

void Home::tell(const Elsewhere& who, EnvelopePtr news) noexcept {
  if (who.node == node_id_) return send_to_shard(who.shard, std::move(news));
  send(who.node, std::move(news));
}

void Home::tell_room(const Elsewhere& who, WorkerId worker, TypeId awaited, Status gone) noexcept {
  EnvelopePtr room = news_of_room({node_id_, worker}, {}, awaited);
  room->extra().credit = 1;
  room->extra().status = std::move(gone);
  tell(who, std::move(room));
}

// A message that found no room. False, and nothing happened, when it is not from elsewhere, or the mailbox is
// too far beyond its bounds.
bool Home::take_beyond(Worker& worker, EnvelopePtr& envelope) {
  const std::optional<Elsewhere> who = elsewhere(*envelope);
  if (!who || !worker.mailbox.may_overshoot(*envelope, who->node != node_id_)) return false;
  tell_full(*who, worker);
  reach(worker, std::move(envelope));
  return true;
}

void Home::tell_full(const Elsewhere& who, Worker& worker) {
  std::vector<ToldFull>& told = told_full_[worker.id];
  if (std::ranges::find(told, who, &ToldFull::who) != told.end()) return;
  told.push_back({who, {}});
  worker.senders_wait = true;
  tell(who, news_of_room({node_id_, worker.id}, {}, TypeId::none));
}

// Of a node that has so much here that it is to send less, whatever room there is.
bool Home::crowds(const Elsewhere& who) const noexcept {
  return who.node != node_id_ && node_.peer_accounts().held_of(who.node) > limits::peer_held_bytes_max / 2;
}

void Home::message_from_crowd(Worker& worker, const Envelope& message) {
  const std::optional<Elsewhere> who = elsewhere(message);
  if (!who || message.kind != v1::MESSAGE || worker.mailbox.limits().overflow != Overflow::reject) return;
  tell_full(*who, worker);
  look_again_soon();
}

// Others free what the crowd is about, and tell nobody. The more there is to look at, the more seldom.
void Home::look_again_soon() noexcept {
  crowd_waits_ = true;
  if (look_for_room_.armed()) return;
  const auto times = static_cast<std::int64_t>(1 + told_full_.size() / looks_at_once);
  shard_.timers().start(look_for_room_, shard_.clock().now() + times * look_for_room_every);
}

// Other shards do not tell either when their inboxes have room again.
void Home::look_for_room() noexcept {
  List<SendInWaiting> waiting;
  waiting.splice(far_senders_);
  let_go(waiting);
  if (!std::exchange(crowd_waits_, false)) return;
  std::vector<WorkerId> told;
  for (const auto& [id, those] : told_full_) told.push_back(id);
  for (const WorkerId id : told) {
    if (Worker* const worker = find(id)) let_senders_in(*worker);
  }
}

// False while those who were told that it is full have to go on waiting.
bool Home::let_in_from_elsewhere(Worker& worker, bool gone) noexcept {
  const auto found = told_full_.find(worker.id);
  if (found == told_full_.end()) return true;
  if (!gone && !worker.mailbox.half_empty()) return false;
  std::erase_if(found->second, [&](const ToldFull& one) {
    if (!gone && crowds(one.who)) return false;
    tell_room(one.who, worker.id, TypeId::none, gone ? exit_reason::noproc() : Status());
    return true;
  });
  if (!found->second.empty()) {
    look_again_soon();
  } else {
    told_full_.erase(found);
  }
  return true;
}

// It looks for a message that is not here: one of those that wait elsewhere may be it.
void Home::look_elsewhere(Worker& worker, Worker::Wants wants) noexcept {
  let_senders_in(worker);
  const auto found = told_full_.find(worker.id);
  if (found == told_full_.end()) return;
  SignalEnvelope like_it;
  for (ToldFull& one : found->second) {
    std::erase_if(one.asked, [&](TypeId type) {
      like_it.type = type;
      const bool wanted = wants(like_it);
      if (wanted) tell_room(one.who, worker.id, type);
      return wanted;
    });
  }
}

// A home elsewhere has a message of that type for a worker here, and believes its mailbox to be full.
void Home::room_asked(const Envelope& asks) noexcept {
  const std::optional<Elsewhere> who = elsewhere(asks);
  if (!who) return;
  Worker* const worker = find(asks.to);
  if (worker == nullptr) return tell_room(*who, asks.to, TypeId::none, exit_reason::noproc());
  const auto found = told_full_.find(asks.to);
  if (found == told_full_.end()) return tell_room(*who, asks.to);
  const auto told = std::ranges::find(found->second, *who, &ToldFull::who);
  if (told == found->second.end()) return tell_room(*who, asks.to);
  if (asks.type == TypeId::none) return;
  if (worker->waits_for(asks)) return tell_room(*who, asks.to, asks.type);
  if (told->asked.size() < asked_types_max && !contains(told->asked, asks.type))
    told->asked.push_back(asks.type);
}

FullElsewhere* Home::full_elsewhere(const Address& worker) noexcept {
  const auto of_node = full_elsewhere_.find(worker.node);
  if (of_node == full_elsewhere_.end()) return nullptr;
  const auto found = of_node->second.find(worker.worker);
  return found == of_node->second.end() ? nullptr : &found->second;
}

// Whether a message has to wait because of a full mailbox elsewhere, whose home then knows that one does.
bool Home::has_to_wait(NodeId node, const Envelope& message) noexcept {
  FullElsewhere* const full = full_elsewhere({node, message.to});
  if (full == nullptr || std::erase(full->awaited, message.type) != 0) return false;
  if (!contains(full->asked, message.type)) {
    full->asked.push_back(message.type);
    // Its worker is for the other shards of this node, which answer them; another node answers all shards.
    const WorkerId who = node == node_id_ ? message.from.worker : WorkerId{};
    EnvelopePtr asks = news_of_room({node_id_, who}, message.to, message.type);
    node == node_id_ ? send_to_shard(message.to.shard(), std::move(asks)) : send(node, std::move(asks));
  }
  return true;
}

// "Full", "room", or that it waits for a message of just this type.
void Home::room_told(const Envelope& news) noexcept {
  const Address worker = news.from;
  if (!worker) return;
  const EnvelopeExtra& said = news.extra();
  if (said.credit == 0) {
    auto& of_node = full_elsewhere_[worker.node];
    if (worker.node == node_id_ || of_node.size() < limits::full_mailboxes_of_peer_max)
      of_node.try_emplace(worker.worker);
    // It may have waited for this session since the last one; the answer comes to all shards.
    if (worker.node != node_id_ && shard_.index() == 0)
      send(worker.node, news_of_room({node_id_, WorkerId{}}, worker.worker, TypeId::none));
    return;
  }
  FullElsewhere* const full = full_elsewhere(worker);
  if (full == nullptr) return;
  if (news.type != TypeId::none) {
    // Nobody else can make this remember types.
    if (std::erase(full->asked, news.type) != 0) full->awaited.push_back(news.type);
    return let_one_go(*full, news.type);
  }
  List<SendInWaiting> waiting;
  waiting.splice(full->waiting);
  const auto of_node = full_elsewhere_.find(worker.node);
  of_node->second.erase(worker.worker);
  if (of_node->second.empty()) full_elsewhere_.erase(of_node);
  said.status.ok() ? let_go(waiting) : let_down(waiting, DeadLetter::no_such_worker, said.status);
}

void Home::let_one_go(FullElsewhere& full, TypeId type) noexcept {
  SendInWaiting* first = nullptr;
  SendInWaiting* next = nullptr;
  full.waiting.each([&](SendInWaiting& waiting) {
    if (next != nullptr || waiting.gave_up() || waiting.envelope->type != type) return;
    (first == nullptr ? first : next) = &waiting;
  });
  if (first == nullptr) return;
  first->unlink();
  send_when_there_is_room(*first);
  // That was the one that it waited for; of another it does not know.
  if (next != nullptr) static_cast<void>(has_to_wait(next->to.node, *next->envelope));
}

void Home::let_go(List<SendInWaiting>& waiting) noexcept {
  while (SendInWaiting* const first = waiting.pop_front()) {
    if (!first->gave_up()) send_when_there_is_room(*first);
  }
}

// Those who waited for what is gone.
void Home::let_down(List<SendInWaiting>& waiting, DeadLetter why, const Status& reason) noexcept {
  while (SendInWaiting* const first = waiting.pop_front()) {
    if (first->gave_up()) continue;
    node_.dead_letter(why, *std::exchange(first->envelope, nullptr), first->to.node);
    first->sent(reason);
  }
}

// Whether a message of that size may be handed to the link now: else it would be refused, or go before those
// that wait. Large ones wait for one another only.
bool Home::may_go_to(NodeId node, std::size_t size) {
  if (size > limits::payload_bytes_max) return !large_behind_.contains(node) && has_room_for_parts(node);
  return (behind_.empty() || !behind_.contains(node)) && backlog_of(node).open();
}

// Of large messages no more wait than of others, but one.
bool Home::has_room_for_parts(NodeId node) const noexcept {
  const auto found = parts_.find(node);
  return found == parts_.end() || found->second.bytes < limits::peer_waiting_bytes_max / 2;
}

link::Backlog& Home::backlog_of(NodeId node) {
  if (node == backlog_asked_ && last_backlog_ != nullptr) [[likely]]
    return *last_backlog_;
  auto found = backlogs_.find(node);
  if (found == backlogs_.end()) {
    last_backlog_ = nullptr;
    if (backlogs_.size() >= backlogs_max)
      std::erase_if(backlogs_, [](const auto& each) { return each.second->waiting() == 0; });
    found = backlogs_.emplace(node, node_.links().backlog(node)).first;
  }
  backlog_asked_ = node;
  last_backlog_ = found->second.get();
  return *last_backlog_;
}

void Home::wait_for_node(SendInWaiting& waiting) {
  const NodeId node = waiting.to.node;
  if (waiting.envelope->payload_size() > limits::payload_bytes_max) {
    large_behind_[node].push_back(waiting);
    if (has_room_for_parts(node)) parts_drained(node);
  } else {
    behind_[node].push_back(waiting);
    if (backlog_of(node).open_or_tell()) node_drained(node, {});
  }
}

void Home::parts_drained(NodeId node) noexcept {
  if (auto behind = large_behind_.extract(node)) let_go(behind.mapped());
}

void Home::node_drained(NodeId node, const Status& how) noexcept {
  auto behind = behind_.extract(node);
  if (!behind) return;
  how.ok() ? let_go(behind.mapped()) : let_down(behind.mapped(), DeadLetter::not_delivered, how);
}

// A session is over: nobody there is told anything any more, and what it said of its mailboxes is void.
void Home::room_lost(NodeId lost, const Status& reason) noexcept {
  for (auto* all : {&behind_, &large_behind_}) {
    if (auto behind = all->extract(lost)) let_down(behind.mapped(), DeadLetter::not_delivered, reason);
  }
  parts_lost(lost);
  backlogs_.erase(lost);
  last_backlog_ = nullptr;
  if (auto of_node = full_elsewhere_.extract(lost)) {
    for (auto& [worker, full] : of_node.mapped()) let_down(full.waiting, DeadLetter::not_delivered, reason);
  }
  std::vector<WorkerId> freed;
  for (auto& [id, told] : told_full_) {
    std::erase_if(told, [lost](const ToldFull& one) { return one.who.node == lost; });
    if (told.empty()) freed.push_back(id);
  }
  for (const WorkerId id : freed) {
    told_full_.erase(id);
    if (Worker* const worker = find(id)) let_senders_in(*worker);
  }
}

}  // namespace cobus
