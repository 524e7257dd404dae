// SPDX-License-Identifier: Apache-2.0
//
// The part of LinkMachine that turns a dial, or somebody who dialled us, into a session.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "node/link/hello.hpp"
#include "node/link/link_machine.hpp"
#include "proto/limits.hpp"

namespace cobus::link {
namespace {

// Whether trying the same endpoint again at once would give the same answer.
bool is_definite(CloseReason reason) noexcept { return reason == CloseReason::refused; }

}  // namespace

void LinkMachine::start(const Dialler::Attempt& attempt) {
  if (const Status revoked = greeter_.check_revoked(attempt.key, unix_s()); !revoked.ok())
    return attempt_failed(attempt.goal, attempt.endpoint, revoked, true);
  auto id = transport_.dial(attempt.endpoint, attempt.key);
  if (!id) {
    attempt_failed(attempt.goal, attempt.endpoint, id.error(), true);
    return;
  }
  dialler_.started(attempt.goal, *id);
  Connection& connection = connections_[*id];
  connection.id = *id;
  connection.goal = attempt.goal;
  connection.endpoint = attempt.endpoint;
  connection.is_urgent = session_of(attempt.goal) != nullptr || peers_.contains(attempt.goal.node);
  enter(connection, Stage::opening);
}

void LinkMachine::on_open(ConnectionId id) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->stage != Stage::opening) return;
  SessionTerms& terms = connection->terms;
  if (const Peer* peer = session_of(connection->goal)) {
    terms.resume = peer->session->number();
    terms.last_received = peer->session->received();
  }
  while (terms.session == 0 || terms.session == terms.resume) terms.session = random_.next();
  enter(*connection, Stage::greeted);
  if (transmit(*connection, greeter_.introduction(terms)) != SendOutcome::sent) {
    end_attempt(*connection, {Code::unavailable, "the connection takes nothing"}, false);
  }
}

void LinkMachine::on_closed(ConnectionId id, CloseReason reason) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  const Status status(reason == CloseReason::denied ? Code::permission_denied : Code::unavailable,
                      std::string(close_reason_text(reason)));
  switch (connection->stage) {
    case Stage::opening:
    case Stage::greeted:
      end_attempt(*connection, status, is_definite(reason));
      return;
    case Stage::up:
      detach(peers_.at(connection->peer.node), status);
      return;
    case Stage::enrolling:
    case Stage::held:
    case Stage::probation:
    case Stage::leaving:
      connections_.erase(id);
      return;
  }
}

void LinkMachine::accept(ConnectionId id, const CurveKey& key, std::string_view frame) {
  const auto hello = read_hello(frame);
  if (!hello) {
    ++counters_.malformed;
    transport_.close(id);
    return;
  }
  Connection& connection = connections_[id];
  connection.id = id;
  connection.terms = {hello->session(), hello->resume(), 0};
  connection.their_received = hello->last_received();
  if (shut_) return refuse(connection, key, {Code::unavailable, "this node stops"});
  if (greeter_.enrols(*hello)) return enrol(connection, *hello, key);
  auto newcomer = greeter_.welcome(*hello, key, unix_s());
  if (!newcomer) return refuse(connection, key, newcomer.error());
  let_in(connection, std::move(*newcomer));
}

// Whoever decides about the token writes to a disk, and is not waited for here.
void LinkMachine::enrol(Connection& connection, const v1::Hello& hello, const CurveKey& key) {
  if (const Status checked = greeter_.check_newcomer(hello, key, unix_s()); !checked.ok())
    return refuse(connection, key, checked);
  connection.peer.node = NodeId{hello.node()};
  connection.peer.key = key;
  if (const Status claim = check_claim(connection.peer); !claim.ok()) return refuse(connection, key, claim);
  auto kept = std::make_unique<v1::Hello>(hello);
  wipe(*kept->mutable_token());
  connection.hello = std::move(kept);
  enter(connection, Stage::enrolling);
  greeter_.enrol(hello, key, connection.id);
}

void LinkMachine::enrolled(ConnectionId id, const Result<v1::Certificate>& certificate) {
  Connection* const connection = find(id);
  if (connection == nullptr || connection->stage != Stage::enrolling) return;
  const CurveKey key = connection->peer.key;
  const std::unique_ptr<const v1::Hello> hello = std::move(connection->hello);
  if (!certificate) return refuse(*connection, key, certificate.error());
  auto newcomer = greeter_.admit(*hello, *certificate, key, unix_s());
  if (!newcomer) return refuse(*connection, key, newcomer.error());
  let_in(*connection, std::move(*newcomer));
}

void LinkMachine::let_in(Connection& connection, Newcomer newcomer) {
  const CurveKey key = newcomer.peer.key;
  if (const Status claim = check_claim(newcomer.peer); !claim.ok()) return refuse(connection, key, claim);
  connection.peer = std::move(newcomer.peer);
  connection.issued = std::move(newcomer.issued);
  if (must_hold(connection)) {
    enter(connection, Stage::held);
  } else {
    answer(connection);
  }
}

// A certificate proves a name and a role, not a node id: that is its holder's as long as nobody else has it.
Status LinkMachine::check_claim(const PeerInfo& peer) const {
  std::optional<CurveKey> owner = dialler_.key_of(goal_of(peer.node));
  if (const auto found = peers_.find(peer.node); found != peers_.end() && found->second.session)
    owner = found->second.info.key;
  if (!owner || *owner == peer.key) return {};
  return {Code::permission_denied,
          "node id " + to_string(peer.node) + " belongs to another key; start again to choose a new one"};
}

bool LinkMachine::must_hold(const Connection& connection) const {
  return greeter_.own() < connection.peer.node &&
         dialler_.attempt_towards(connection.peer.node, connection.peer.key).has_value();
}

void LinkMachine::answer(Connection& connection) {
  abandon_attempt(goal_of(connection.peer.node));
  Peer* const earlier = in_session(connection.peer.node);
  connection.resumes = earlier != nullptr && may_resume(connection, *earlier);
  SessionTerms terms{.session = connection.terms.session};
  if (connection.resumes) {
    terms = {connection.terms.resume, 0, earlier->session->received()};
  } else if (connection.terms.resume != 0) {
    disown(connection);
  }
  const std::string hello = greeter_.answer(terms, std::exchange(connection.issued, {}));
  if (transmit(connection, hello) != SendOutcome::sent) {
    drop(connection);
  } else if (earlier == nullptr) {
    bring_up(connection);
  } else if (connection.resumes && earlier->up == ConnectionId::none) {
    go_on(connection);
  } else {
    earlier->detached = clock_.now();  // it is back, and has time to choose
    connection.rival = earlier->session->number();
    enter(connection, Stage::probation);
  }
}

// We are about to say that we do not have the session which `by` names, and the other side will leave it:
// what it said earlier, a first frame or the answer to a dial of ours, must not bring that session up any
// more.
void LinkMachine::disown(const Connection& by) {
  std::vector<ConnectionId> waiting;
  std::vector<Goal> dialled;
  for (const auto& [id, connection] : connections_) {
    if (connection.terms.session != by.terms.resume) continue;
    if (connection.stage == Stage::probation && connection.peer.node == by.peer.node) waiting.push_back(id);
    if (connection.stage == Stage::greeted) dialled.push_back(connection.goal);
  }
  for (const ConnectionId id : waiting) drop(connections_.at(id));
  for (const Goal goal : dialled) abandon_attempt(goal);
}

void LinkMachine::refuse(Connection& connection, const CurveKey& key, const Status& reason) {
  ++counters_.refused;
  if (reason.code() != Code::unavailable) refusals_.say("to let somebody in", key, reason.message());
  const std::string hello = hello_frame(make_refusal(reason, connection.terms.session));
  if (transmit(connection, hello) == SendOutcome::sent) {
    enter(connection, Stage::leaving);
  } else {
    drop(connection);
  }
}

void LinkMachine::read_answer(Connection& connection, const CurveKey& key, std::string_view frame) {
  const auto hello =
      connection.stage == Stage::greeted ? read_hello(frame) : fail(Code::internal, "it spoke before we did");
  if (!hello) {
    ++counters_.malformed;
    // Not definite: who sits between can have left the answer out, and this came behind it.
    return end_attempt(connection, {Code::internal, hello.error().message()}, false);
  }
  auto host = greeter_.meet(*hello, key, connection.terms, unix_s());
  if (!host) return end_attempt(connection, host.error(), true);
  if (host->issued) {
    told_ = true;
    published_.use_certificate(*host->issued);
    events_.on_enrolled(*host->issued);
  }
  if (const Status status = check_goal(connection, host->peer); !status.ok()) {
    return end_attempt(connection, status, true);
  }
  connection.peer = std::move(host->peer);
  connection.resumes = hello->session() != connection.terms.session;
  connection.their_received = hello->last_received();
  begin(connection);
}

// The other side has answered a dial of ours.
void LinkMachine::begin(Connection& connection) {
  const NodeId node = connection.peer.node;
  const Goal goal = connection.goal;
  Peer* earlier = in_session(node);
  if (connection.resumes) {
    if (earlier == nullptr || !may_resume(connection, *earlier)) {
      return end_attempt(connection, {Code::internal, "it goes on with a session that is over"}, false);
    }
    return go_on(connection);
  }
  if (Peer* offered = session_of(goal);
      offered != nullptr && offered->session->number() == connection.terms.resume) {
    if (may_replace(connection, *offered)) return replace(connection, *offered);
    // The target of a node that the directory lost goes with its session, but not while it is the target of
    // this very dial.
    const NodeId over = offered->info.node;
    const bool is_forgotten = over == node && forgotten_.erase(node) != 0;
    end_session(*offered, {Code::unavailable, "it knows nothing of it any more"});
    if (is_forgotten) forgotten_.insert(node);
    earlier = in_session(node);
  }
  if (earlier == nullptr) return bring_up(connection);
  // We have each other already; the other side sees the end of this connection and keeps that one.
  drop(connection);
  if (goal.target != TargetId::none) serve(*earlier, goal.target);  // which we know only now
  if (earlier->up == ConnectionId::none || earlier->suspected) {
    dialler_.failed(goal, clock_.now(), false);
  } else {
    dialler_.connected(goal, clock_.now());
  }
}

Status LinkMachine::check_goal(const Connection& connection, const PeerInfo& peer) const {
  const Goal goal = connection.goal;
  if (goal.target != TargetId::none && peer.role != v1::BROKER) {
    return {Code::permission_denied, fmt::format("{} is a {}, not a broker; check the address of the broker",
                                                 peer.name, role_name(peer.role))};
  }
  if (goal.node != NodeId::none && peer.node != goal.node) {
    return {Code::unavailable,
            fmt::format("{} lives there now, as node {}", peer.name, to_string(peer.node))};
  }
  return check_claim(peer);
}

void LinkMachine::abandon_attempt(Goal goal) {
  const ConnectionId attempt = dialler_.attempt(goal);
  if (attempt == ConnectionId::none) return;
  dialler_.abandoned(goal);
  if (Connection* connection = find(attempt)) drop(*connection);
}

void LinkMachine::end_attempt(Connection& connection, const Status& reason, bool definite) {
  const Goal goal = connection.goal;
  const std::string endpoint = connection.endpoint;
  drop(connection);
  attempt_failed(goal, endpoint, reason, definite);
}

void LinkMachine::attempt_failed(Goal goal, const std::string& endpoint, const Status& reason,
                                 bool definite) {
  const bool hopeless = dialler_.failed(goal, clock_.now(), definite);
  arm(clock_.now());  // somebody may have been held because of it
  if (const Peer* peer = session_of(goal);
      peer != nullptr && peer->up != ConnectionId::none && !peer->suspected) {
    // It was only to show, or see, a later certificate.
    return dialler_.connected(goal, clock_.now());
  }
  if (goal.target != TargetId::none) {
    told_ = true;
    events_.on_target_failed(goal.target, {reason.code(), endpoint + ": " + reason.message()});
  }
  if (!hopeless) return;
  const Status gone(Code::unavailable,
                    fmt::format("cannot reach {} at {}: {}",
                                goal.node != NodeId::none ? "node " + to_string(goal.node) : "it", endpoint,
                                reason.message()));
  // Nobody is where it was, so its process is gone.
  if (Peer* peer = session_of(goal)) {
    end_session(*peer, gone);
  } else if (goal.node != NodeId::none) {
    return_waiting(goal.node, gone);
  }
}

}  // namespace cobus::link
