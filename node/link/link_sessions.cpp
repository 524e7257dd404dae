// SPDX-License-Identifier: Apache-2.0
//
// The part of LinkMachine that keeps sessions: what comes over them, how they pass from one connection to the
// next, and how they end.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "node/link/link_machine.hpp"
#include "proto/limits.hpp"

namespace cobus::link {
namespace {

constexpr std::size_t said_bytes_max = 1024;
// Envelopes of a frame that there is room for at all times.
constexpr std::size_t found_kept_max = 8192;
// Every shard has heard of the end of a session by then.
constexpr Duration downs_kept = std::chrono::minutes(1);

bool serves(const std::vector<TargetId>& targets, TargetId target) {
  return std::ranges::find(targets, target) != targets.end();
}

}  // namespace

std::string LinkMachine::who(const PeerInfo& peer) {
  return fmt::format("{} ({})", peer.name, to_string(peer.node));
}

bool LinkMachine::may_resume(const Connection& connection, const Peer& peer) const {
  return connection.terms.resume != 0 && peer.session && peer.session->number() == connection.terms.resume &&
         peer.info.key == connection.peer.key && peer.info.incarnation == connection.peer.incarnation &&
         peer.outbox.may_resume_at(connection.their_received);
}

LinkMachine::Peer* LinkMachine::session_of(Goal goal) {
  if (goal.node != NodeId::none) return in_session(goal.node);
  const auto found = std::ranges::find_if(
      peers_, [&](const auto& each) { return serves(each.second.targets, goal.target); });
  return found == peers_.end() ? nullptr : &found->second;
}

void LinkMachine::serve(Peer& peer, TargetId target) {
  if (!serves(peer.targets, target)) peer.targets.push_back(target);
}

// The first connection of a session.
void LinkMachine::bring_up(Connection& connection) {
  const NodeId node = connection.peer.node;
  const TargetId target = connection.goal.target;
  Peer& peer = peers_[node];
  peer.info = connection.peer;
  peer.session = Session(connection.terms.session);
  if (target != TargetId::none) serve(peer, target);
  attach(connection, peer);
  published_.put_peer(peer.info);
  told_ = true;
  events_.on_peer_up(peer.info, target);
}

bool LinkMachine::may_replace(const Connection& connection, const Peer& peer) {
  return !peer.session->confirmed() && peer.info.node == connection.peer.node &&
         peer.info.key == connection.peer.key && peer.info.incarnation == connection.peer.incarnation;
}

void LinkMachine::replace(Connection& connection, Peer& peer) {
  peer.session = Session(connection.terms.session);
  attach(connection, peer);
}

// The session goes over `connection` from now on. A beat tells the other side so: of who dialled that this is
// the connection of its choice, of who answered that it has the session.
void LinkMachine::attach(Connection& connection, Peer& peer) {
  const NodeId node = peer.info.node;
  const TimePoint now = clock_.now();
  if (connection.peer.expires_s > peer.info.expires_s) {
    peer.info.issued_s = connection.peer.issued_s;
    peer.info.expires_s = connection.peer.expires_s;
    peer.info.show_again_s = connection.peer.show_again_s;
    published_.put_peer(peer.info);
  }
  if (Connection* before = find(peer.up)) drop(*before);
  settle(peer, connection.goal);
  enter(connection, Stage::up);
  peer.up = connection.id;
  peer.received = peer.sent = now;
  if (peer.suspected) tell_suspected(peer, false);
  peer.owed = 0;
  arm(deadline_of(peer));
  if (!peer.outbox.all_sent()) waiting_.insert(node);
  beat(peer);
}

// The session has to find another connection.
void LinkMachine::detach(Peer& peer, const Status& reason) {
  peer.lost = reason;
  if (shut_) return end_session(peer, reason);
  if (Connection* connection = find(peer.up)) drop(*connection);
  peer.up = ConnectionId::none;
  peer.detached = clock_.now();
  peer.outbox.rewind();
  if (!peer.suspected) redial(peer);
  arm(deadline_of(peer));
}

bool LinkMachine::may_be_dialled(const Peer& peer) const {
  return !peer.targets.empty() || dialler_.knows(goal_of(peer.info.node));
}

void LinkMachine::redial(Peer& peer) {
  const TimePoint now = clock_.now();
  for (const TargetId target : peer.targets) dialler_.lost(goal_of(target), now);
  dialler_.lost(goal_of(peer.info.node), now);
}

// It is quiet: either its end of the connection has been forgotten on the way, or nothing gets there. Without
// a connection it is being dialled already.
void LinkMachine::suspect(Peer& peer) {
  if (peer.up != ConnectionId::none) redial(peer);
  tell_suspected(peer, true);
}

void LinkMachine::unsuspect(Peer& peer) {
  settle(peer, {});
  tell_suspected(peer, false);
}

void LinkMachine::tell_suspected(Peer& peer, bool suspected) {
  peer.suspected = suspected;
  told_ = true;
  events_.on_peer_suspected(peer.info, suspected);
}

// It is connected: every other dial for it, but the one for `goal`, is given up.
void LinkMachine::settle(const Peer& peer, Goal goal) {
  const auto is_connected = [&](Goal each) {
    if (each != goal) abandon_attempt(each);
    dialler_.connected(each, clock_.now());
  };
  for (const TargetId target : peer.targets) is_connected(goal_of(target));
  is_connected(goal_of(peer.info.node));
}

bool LinkMachine::choose(Connection& by) {
  Peer* const peer = in_session(by.peer.node);
  const bool same = peer != nullptr && peer->session->number() == by.rival;
  if ((peer != nullptr && !same) || (by.resumes && peer == nullptr)) {
    // Another session came up after our answer, and both sides know of that one; or what we agreed to go on
    // with has ended.
    drop(by);
    return false;
  }
  if (by.resumes) {
    go_on(by);
    return true;
  }
  if (peer != nullptr && may_replace(by, *peer)) {
    replace(by, *peer);
    return true;
  }
  if (peer != nullptr) end_session(*peer, {Code::unavailable, "it came back and knows nothing of it"});
  bring_up(by);
  return true;
}

// Goes on with an earlier session.
void LinkMachine::go_on(Connection& connection) {
  Peer& peer = peers_.at(connection.peer.node);
  ++counters_.resumed;
  peer.outbox.rewind();
  static_cast<void>(peer.outbox.acknowledge(connection.their_received));
  attach(connection, peer);
}

Result<Session::Verdict> LinkMachine::judge(const Connection& connection, Peer& peer, const CurveKey& key,
                                            const FrameHeader& header) {
  if (key != connection.peer.key) return fail(Code::internal, "a frame came with another key");
  Session session = *peer.session;
  auto verdict = session.receive(header);
  if (!verdict) return verdict;
  if (!peer.outbox.acknowledge(header.acknowledged, &spares_)) {
    return fail(Code::internal,
                fmt::format("frame {} was acknowledged, which was never sent", header.acknowledged));
  }
  *peer.session = session;
  return verdict;
}

// Those of found_. An error at one that is malformed; those before it have been told.
Status LinkMachine::tell_envelopes(const PeerInfo& peer, FrameIn frame) {
  bool good = true;
  EnvelopeView envelope;
  for (const std::string_view bytes : found_) {
    good = read_envelope(bytes, envelope);
    if (!good) break;
    ++counters_.envelopes_received;
    events_.on_envelope(peer, envelope, frame);
  }
  Status status = events_.on_frame_end(peer);
  if (found_.capacity() > found_kept_max) std::vector<std::string_view>().swap(found_);
  return good ? std::move(status) : Status(Code::internal, "an envelope is malformed");
}

void LinkMachine::receive(Connection& connection, const CurveKey& key, FrameIn frame) {
  Peer& peer = peers_.at(connection.peer.node);
  peer.received = clock_.now();
  if (peer.suspected) unsuspect(peer);
  found_.clear();
  Result<FrameHeader> header = read_frame_header(frame.bytes(), &found_);
  if (!header) header = fail(Code::internal, header.error().message());
  Result<Session::Verdict> verdict =
      header ? judge(connection, peer, key, *header) : std::unexpected(header.error());
  if (verdict && *verdict == Session::Verdict::repeat) ++counters_.repeated;
  if (verdict && *verdict == Session::Verdict::fresh) {
    if (peer.owed == 0) {
      peer.owed_since = peer.received;
      arm(peer.owed_since + limits::acknowledge_after);
    }
    peer.owed += frame.bytes().size();
    if (Status told = tell_envelopes(peer.info, frame); !told.ok()) verdict = fail(std::move(told));
    if (peer.owed >= limits::acknowledge_bytes) beat(peer);
  }
  if (verdict) {
    if (header->has_end()) hear_end(connection, peer, header->end);
    return;
  }
  const Status broken(verdict.error().code(),
                      who(peer.info) + " broke the protocol: " + verdict.error().message());
  if (verdict.error().code() == Code::data_loss) {
    ++counters_.missing;
    return detach(peer, broken);  // it comes again
  }
  ++counters_.malformed;
  end_session(peer, broken);
}

void LinkMachine::hear_end(Connection& connection, Peer& peer, std::string_view said) {
  const Status reason = decode_status(said);
  if (peer.leaving) return end_session(peer, {Code::unavailable, "this node stops"});
  say_end(peer, {Code::cancelled, "as you wish"});
  // The other side closes the connection once it has read that.
  peer.up = ConnectionId::none;
  enter(connection, Stage::leaving);
  if (!peer.suspected) redial(peer);
  end_session(peer, {Code::unavailable,
                     "it has ended the session: " + std::string(reason.message().substr(0, said_bytes_max))});
}

void LinkMachine::say_end(Peer& peer, const Status& reason) {
  Connection* const connection = find(peer.up);
  if (connection == nullptr) return;
  buffer_.clear();
  peer.session->write_end(buffer_, peer.outbox.last_sent(), reason);
  static_cast<void>(transmit(*connection, buffer_));  // else it learns by the end of the connection
}

void LinkMachine::end_session(Peer& peer, const Status& reason) {
  const PeerInfo info = peer.info;
  if (!peer.leaving) say_end(peer, reason);
  if (Connection* connection = find(peer.up)) {
    drop(*connection);
    if (!peer.suspected) redial(peer);
  }
  Outbox outbox = std::move(peer.outbox);
  const std::shared_ptr<Backlog> backlog = std::move(peer.backlog);
  waiting_.erase(info.node);
  peers_.erase(info.node);
  if (forgotten_.erase(info.node) != 0) remove_target(info.node);
  published_.remove_peer(info.node);
  told_ = true;
  events_.on_peer_closing(info, reason);
  const Status lost(Code::unavailable, "lost " + who(info) + ": " + reason.message());
  for (const std::string& chunk : outbox.take_unacknowledged()) {
    ++counters_.unacknowledged;
    events_.on_unacknowledged(info.node, chunk, lost);
  }
  for (const std::string& chunk : outbox.take()) undeliverable(info.node, chunk, lost);
  count_down(info.node);
  events_.on_peer_down(info, reason);
  tell_drained(info.node, backlog.get(), 0, lost);
}

void LinkMachine::count_down(NodeId node) {
  const TimePoint now = clock_.now();
  down_.insert_or_assign(node, Down{++downs_, now});
  if (down_.size() < down_swept_at_) return;
  std::erase_if(down_, [now](const auto& each) { return now - each.second.at > downs_kept; });
  down_swept_at_ = 2 * down_.size() + 1024;
}

bool LinkMachine::is_stale(NodeId node, std::uint64_t downs_known) const {
  if (downs_known >= downs_) return false;
  const auto found = down_.find(node);
  return found != down_.end() && found->second.number > downs_known;
}

void LinkMachine::beat(Peer& peer) {
  Connection& connection = connections_.at(peer.up);
  buffer_.clear();
  peer.session->write_beat(buffer_, peer.outbox.last_sent());
  // What does not go now is not worth a wait: the other side has enough to read.
  if (transmit(connection, buffer_) == SendOutcome::sent) peer.owed = 0;
  peer.sent = peer.owed_since = clock_.now();
}

}  // namespace cobus::link
