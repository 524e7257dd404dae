// SPDX-License-Identifier: Apache-2.0
//
// LinkMachine: the state machine inside Links: connections from the first dial to the last frame,
// sessions, beats, silence. One thread at a time, under the lock of Links; never re-entered: what it tells
// its owner must not call back. Who is dialled when is Dialler's business, who is welcome Greeter's, the
// numbering Session's, what waits Outbox's.
//
// Two nodes that dial each other at once: the one with the smaller id lets the other's Hello wait until
// its own dial has ended; the one with the larger id drops its own dial for the other's. So nothing is sent
// on a connection that will not stay. A Hello from a node that has a session already is answered, but the old
// session goes on until a frame shows that the other side has chosen the new connection.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/link/dialler.hpp"
#include "node/link/greeter.hpp"
#include "node/link/outbox.hpp"
#include "node/link/session.hpp"

namespace cobus::link {

class LinkMachine final : public TransportEvents {
 public:
  LinkMachine(Transport& transport, const Clock& clock, Random& random, LinkEvents& events, Identity identity,
              LinkOptions options);
  // Closes what is open, without a word.
  ~LinkMachine() override;
  LinkMachine(const LinkMachine&) = delete;
  LinkMachine& operator=(const LinkMachine&) = delete;

  // As in Links.
  void add_target(TargetId target, std::vector<std::string> endpoints, CurveKey key);
  void learn(NodeId node, std::vector<std::string> endpoints, CurveKey key);
  void forget(NodeId node);
  void submit(NodeId node, std::string chunk);

  // Runs timers, dials, sends what waits. True when the owner was told something, so that it should not
  // be kept waiting.
  bool turn();
  // Waits for the network, `longest` at most (negative: as long as nothing is due), and handles what came.
  void wait(Duration longest);
  void shut(TimePoint deadline);
  // When turn() will have something to do even if nothing comes.
  [[nodiscard]] TimePoint next_due() const;

  [[nodiscard]] std::vector<PeerInfo> peers() const;
  // In the outboxes of all peers.
  [[nodiscard]] std::size_t waiting_bytes() const;
  // Whether peers() has changed since the last call.
  [[nodiscard]] bool peers_changed() noexcept { return std::exchange(peers_changed_, false); }
  [[nodiscard]] const Links::Counters& counters() const noexcept { return counters_; }

 private:
  enum class Stage : std::uint8_t {
    opening,    // dialled
    greeted,    // our Hello went out
    held,       // its Hello waits until our own dial to the same node has ended
    probation,  // answered, but the earlier session goes on until a frame comes
    up,
    refused,  // told so; closed once the words are out
  };
  struct Connection {
    ConnectionId id = ConnectionId::none;
    Stage stage = Stage::opening;
    Goal goal;             // of a dialled one
    std::string endpoint;  // of a dialled one
    Session session;
    PeerInfo peer;  // from its Hello on
    std::optional<v1::Certificate> issued;
    ConnectionId rival = ConnectionId::none;  // in probation: the session that goes on
    TimePoint since{};                        // in this stage
    TimePoint received{};                     // last sign of life
    TimePoint sent{};
  };
  struct Peer {
    ConnectionId up = ConnectionId::none;
    std::vector<TargetId> targets;  // which this session serves
    Outbox outbox;
    TimePoint waiting_since{};
  };

  void on_open(ConnectionId id) override;
  void on_frame(ConnectionId id, const CurveKey& key, std::string_view frame) override;
  void on_closed(ConnectionId id, CloseReason reason) override;

  // Handshake.
  void start(const Dialler::Attempt& attempt);
  void accept(ConnectionId id, const CurveKey& key, std::string_view frame);
  [[nodiscard]] Status check_claim(const PeerInfo& peer) const;
  [[nodiscard]] bool must_hold(const Connection& connection) const;
  void answer(Connection& connection);
  void refuse(Connection& connection, const Status& reason);
  void read_answer(Connection& connection, const CurveKey& key, std::string_view frame);
  [[nodiscard]] Status check_goal(const Connection& connection, const PeerInfo& peer) const;
  void abandon_attempt(Goal goal);
  void end_attempt(Connection& connection, const Status& reason, bool definite);
  void attempt_failed(Goal goal, const std::string& endpoint, const Status& reason, bool definite);

  // Sessions.
  void bring_up(Connection& connection);
  void serve(TargetId target, NodeId node);
  // False when the new connection went instead of the old one.
  bool replace_session(Connection& by);
  void receive(Connection& connection, const CurveKey& key, std::string_view frame);
  void end_session(Connection& connection, const Status& reason);
  void beat(Connection& connection);

  // Sending.
  void flush();
  void flush_peer(Peer& peer);
  SendOutcome transmit(Connection& connection, std::string_view frame);
  void return_waiting(NodeId node, const Status& reason);
  void undeliverable(NodeId node, std::string_view chunk, const Status& reason);

  // Time.
  void run_timers(TimePoint now);
  [[nodiscard]] static TimePoint deadline_of(const Connection& connection) noexcept;
  void expire(Connection& connection, TimePoint now);
  void expire_waiting(TimePoint now);
  void excuse(Duration lateness);
  void arm(TimePoint when) noexcept { next_timer_ = std::min(next_timer_, when); }

  void enter(Connection& connection, Stage stage);
  void drop(Connection& connection);
  [[nodiscard]] Connection* find(ConnectionId id);
  [[nodiscard]] Peer* peer_up(NodeId node);
  void erase_if_idle(NodeId node);
  [[nodiscard]] std::int64_t unix_s() const noexcept { return clock_.unix_us() / 1'000'000; }

  Transport& transport_;
  const Clock& clock_;
  Random& random_;
  LinkEvents& events_;
  Greeter greeter_;
  Dialler dialler_;
  std::map<ConnectionId, Connection> connections_;
  std::map<NodeId, Peer> peers_;
  std::set<NodeId> waiting_;  // whose outbox is not empty
  std::string buffer_;        // the frame being written
  Links::Counters counters_;
  TimePoint next_timer_ = never;
  TimePoint last_turn_;
  bool blocked_ = false;  // some connection takes no more for now
  bool told_ = false;
  bool shut_ = false;
  bool peers_changed_ = false;
};

}  // namespace cobus::link
