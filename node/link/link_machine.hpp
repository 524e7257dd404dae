// SPDX-License-Identifier: Apache-2.0
//
// LinkMachine: the state machine inside Links: connections from the first dial to the last frame,
// sessions, beats, silence. One thread at a time, under the lock of Links; never re-entered: what it tells
// its owner must not call back. Who is dialled when is Dialler's business, who is welcome Greeter's, the
// numbering Session's, what is not acknowledged yet Outbox's.
//
// A session outlives its connection. Without one it is *detached*, until either side dials and both know it
// still. Two nodes that dial each other at once: the one with the smaller id lets the other's Hello wait
// until its own dial has ended, or for a second; the one with the larger id drops its own dial for the
// other's. A connection that carries a session goes on until a frame shows that the other side has chosen
// another.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node/link/dialler.hpp"
#include "node/link/greeter.hpp"
#include "node/link/outbox.hpp"
#include "node/link/refusal_log.hpp"
#include "node/link/self_doubt.hpp"
#include "node/link/session.hpp"
#include "node/runtime/reminder.hpp"

namespace cobus::link {

class LinkMachine final : public TransportEvents {
 public:
  // `published` starts with the certificate of `identity`.
  LinkMachine(Transport& transport, const Clock& clock, Random& random, LinkEvents& events,
              PublishedState& published, Identity identity, LinkOptions options);
  // Closes what is open, without a word.
  ~LinkMachine() override;
  LinkMachine(const LinkMachine&) = delete;
  LinkMachine& operator=(const LinkMachine&) = delete;

  // As in Links.
  void add_target(TargetId target, std::vector<std::string> endpoints, CurveKey key);
  void retarget(TargetId target, std::vector<std::string> endpoints);
  void learn(NodeId node, std::vector<std::string> endpoints, CurveKey key);
  void forget(NodeId node);
  void revoke(const CurveKey& key, std::int64_t until_s);
  void use_certificate(const v1::Certificate& certificate);
  void enrolled(ConnectionId id, const Result<v1::Certificate>& certificate);
  // `backlog` may be null.
  void submit(NodeId node, std::string chunk, const std::shared_ptr<Backlog>& backlog,
              std::uint64_t downs_known);

  // Runs timers, dials, sends what waits. True when the owner was told something, so that it should not
  // be kept waiting.
  bool turn();
  // Waits for the network, `longest` at most (negative: as long as nothing is due), and handles what came.
  void wait(Duration longest);
  void shut(TimePoint deadline);
  // When turn() will have something to do even if nothing comes.
  [[nodiscard]] TimePoint next_due() const;

  // In the outboxes of all peers, and never sent.
  [[nodiscard]] std::size_t waiting_bytes() const;
  // Buffers of chunks that were acknowledged, for the next ones.
  [[nodiscard]] Spares& spares() noexcept { return spares_; }
  [[nodiscard]] const Links::Counters& counters() const noexcept { return counters_; }

 private:
  enum class Stage : std::uint8_t {
    opening,    // dialled
    greeted,    // our Hello went out
    enrolling,  // its Hello has a token, and waits for the enroller
    held,       // its Hello waits until our own dial to the same node has ended
    probation,  // answered, but the session goes on elsewhere until a frame comes
    up,         // carries the session with its peer
    leaving,    // told that it is over; closed once the words are out
  };
  struct Connection {
    ConnectionId id = ConnectionId::none;
    Stage stage = Stage::opening;
    Goal goal;             // of a dialled one
    std::string endpoint;  // of a dialled one
    SessionTerms terms;    // in the Hello of whoever dialled
    PeerInfo peer;         // from its Hello on
    std::optional<v1::Certificate> issued;
    std::unique_ptr<const v1::Hello> hello;  // while enrolling, without the token
    bool resumes = false;                    // agreed: it goes on with terms.resume
    std::uint64_t their_received = 0;        // then: by the other side's Hello
    bool is_urgent = false;                  // a session, or something to be sent, waits for it
    std::uint64_t rival = 0;                 // in probation: the session that goes on until then
    TimePoint since{};                       // in this stage
  };
  // A node that we have a session with, or that something waits for.
  struct Peer {
    PeerInfo info;                   // of the session
    std::optional<Session> session;  // none yet: it is being dialled
    ConnectionId up = ConnectionId::none;
    std::vector<TargetId> targets;  // which this session serves
    Outbox outbox;
    std::shared_ptr<Backlog> backlog;  // null: nobody has asked for it
    TimePoint waiting_since{};         // without a session
    TimePoint received{};              // last sign of life
    TimePoint sent{};                  // last frame of ours
    TimePoint detached{};              // since when it has no connection
    Status lost;                       // how that ended
    std::size_t owed = 0;              // bytes that came and were not acknowledged
    TimePoint owed_since{};
    bool suspected = false;  // quiet, so it is being dialled anew even while it has a connection
    bool leaving = false;    // told that we stop
  };

  void on_open(ConnectionId id) override;
  void on_frame(ConnectionId id, const CurveKey& key, FrameIn frame) override;
  void on_closed(ConnectionId id, CloseReason reason) override;

  // Handshake.
  void start(const Dialler::Attempt& attempt);
  void accept(ConnectionId id, const CurveKey& key, std::string_view frame);
  void enrol(Connection& connection, const v1::Hello& hello, const CurveKey& key);
  void let_in(Connection& connection, Newcomer newcomer);
  [[nodiscard]] Status check_claim(const PeerInfo& peer) const;
  [[nodiscard]] bool must_hold(const Connection& connection) const;
  void answer(Connection& connection);
  void disown(const Connection& by);
  void refuse(Connection& connection, const CurveKey& key, const Status& reason);
  void read_answer(Connection& connection, const CurveKey& key, std::string_view frame);
  [[nodiscard]] Status check_goal(const Connection& connection, const PeerInfo& peer) const;
  void go_on(Connection& connection);
  void begin(Connection& connection);
  void abandon_attempt(Goal goal);
  void end_attempt(Connection& connection, const Status& reason, bool definite);
  void attempt_failed(Goal goal, const std::string& endpoint, const Status& reason, bool definite);

  // Sessions (link_sessions.cpp).
  [[nodiscard]] bool may_resume(const Connection& connection, const Peer& peer) const;
  void bring_up(Connection& connection);
  // Whether the session of `peer` may become the one that `connection` begins, as if it had been that from
  // the start: nothing was said in it, in either direction.
  [[nodiscard]] static bool may_replace(const Connection& connection, const Peer& peer);
  void replace(Connection& connection, Peer& peer);
  void attach(Connection& connection, Peer& peer);
  void detach(Peer& peer, const Status& reason);
  // False when the new connection went instead of what was there.
  bool choose(Connection& by);
  void receive(Connection& connection, const CurveKey& key, FrameIn frame);
  [[nodiscard]] Status tell_envelopes(const PeerInfo& peer, FrameIn frame);
  [[nodiscard]] Result<Session::Verdict> judge(const Connection& connection, Peer& peer, const CurveKey& key,
                                               const FrameHeader& header);
  void hear_end(Connection& connection, Peer& peer, std::string_view said);
  // Ends the session, and `peer` with it. A connection that carries it is told why and closed.
  void end_session(Peer& peer, const Status& reason);
  void remove_target(NodeId node);
  void say_end(Peer& peer, const Status& reason);
  void count_down(NodeId node);
  // Whether a session with `node` has ended that a sender who knows of so many ends did not know of.
  [[nodiscard]] bool is_stale(NodeId node, std::uint64_t downs_known) const;
  void serve(Peer& peer, TargetId target);
  [[nodiscard]] bool may_be_dialled(const Peer& peer) const;
  void redial(Peer& peer);
  void suspect(Peer& peer);
  void unsuspect(Peer& peer);
  void tell_suspected(Peer& peer, bool suspected);
  [[nodiscard]] bool is_lost(const Peer& peer, TimePoint now) const;
  void settle(const Peer& peer, Goal goal);
  void beat(Peer& peer);
  // The session that a dial of `goal` would go on with; null when there is none.
  [[nodiscard]] Peer* session_of(Goal goal);

  // Sending.
  void flush();
  void flush_peer(NodeId node, Peer& peer);
  void fill_frames(Peer& peer);
  // What waits for `node` has changed.
  void tell_drained(NodeId node, Backlog* backlog, std::size_t queued, const Status& how = {});
  SendOutcome transmit(Connection& connection, std::string_view frame);
  SendOutcome transmit_shared(Connection& connection, std::shared_ptr<const std::string> frame);
  SendOutcome count_sent(SendOutcome outcome, std::size_t bytes) noexcept;
  void refuse(NodeId node, Peer& peer, std::string_view chunk);
  void return_waiting(NodeId node, const Status& reason);
  void undeliverable(NodeId node, std::string_view chunk, const Status& reason);
  // Polls until `left` gives 0, or nothing happens any more.
  template <class Left>
  void poll_while(TimePoint deadline, Left left);

  // Time.
  void run_timers(TimePoint now);
  [[nodiscard]] static TimePoint deadline_of(const Connection& connection) noexcept;
  [[nodiscard]] TimePoint deadline_of(const Peer& peer) const;
  void expire(Connection& connection, TimePoint now);
  void expire(Peer& peer, TimePoint now);
  void expire_waiting(TimePoint now);
  void expire_certificates();
  void ask_for_later(Peer& peer, std::int64_t now_s);
  // We should have been here before, and were not.
  void came_late(Duration by);
  void arm(TimePoint when) noexcept { next_timer_ = std::min(next_timer_, when); }

  void enter(Connection& connection, Stage stage);
  void drop(Connection& connection);
  [[nodiscard]] static std::string who(const PeerInfo& peer);
  [[nodiscard]] Connection* find(ConnectionId id);
  [[nodiscard]] Peer* in_session(NodeId node);
  [[nodiscard]] std::int64_t unix_s() const noexcept { return clock_.unix_us() / 1'000'000; }

  Transport& transport_;
  const Clock& clock_;
  Random& random_;
  LinkEvents& events_;
  PublishedState& published_;  // changed before events_ is told
  Greeter greeter_;
  RefusalLog refusals_;
  Dialler dialler_;
  std::map<ConnectionId, Connection> connections_;
  std::map<NodeId, Peer> peers_;
  std::set<NodeId> forgotten_;           // by the directory, while their sessions go on
  std::set<NodeId> waiting_;             // for whom something is to be sent, now or later
  std::string buffer_;                   // the frame being written
  Spares spares_;                        // of what was acknowledged
  std::vector<std::string_view> found_;  // the envelopes of the frame being read
  // The last end of a session with each node, numbered; for some time.
  struct Down {
    std::uint64_t number;
    TimePoint at;
  };
  std::uint64_t downs_ = 0;
  std::unordered_map<NodeId, Down> down_;
  std::size_t down_swept_at_ = 1024;
  Links::Counters counters_;
  TimePoint next_timer_ = never;
  SelfDoubt doubt_;
  Reminder told_late_{std::chrono::seconds(30)};
  TimePoint last_turn_;
  TimePoint expected_ = never;  // when turn() was to be called next, as of the last time
  bool blocked_ = false;        // some connection takes no more for now
  bool told_ = false;
  bool shut_ = false;
};

}  // namespace cobus::link
