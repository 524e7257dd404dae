// SPDX-License-Identifier: Apache-2.0
//
// Links: everything one node has to do with its peers. Dials and redials, exchanges and checks the
// Hello, enrols, keeps one session per pair, coalesces envelopes into frames, beats, notices silence.
// A state machine over a Transport and a Clock: one thread at a time drives it (poll), under its lock;
// submit() and wake() may be called by any thread. It knows no workers: envelopes pass as bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "node/link/backlog.hpp"
#include "node/link/identity.hpp"
#include "node/link/peer_info.hpp"
#include "node/link/published_state.hpp"
#include "node/link/spares.hpp"
#include "node/link/transport.hpp"
#include "node/runtime/random.hpp"
#include "proto/address.hpp"
#include "proto/codec.hpp"

namespace cobus::link {

// Names one address somebody asked to be connected to, whoever answers there (a broker).
enum class TargetId : std::uint64_t { none = 0 };

// What Links tells its owner. All calls come from inside poll(), with the lock held: they must not
// call back into Links except submit(), and must be quick. Links publishes a change before it tells of it:
// whatever a call starts on another thread reads peer(), peers() and certificate() as they are after it.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  // A session is up: envelopes may flow. `target` is the one that was dialled, or none. It goes on over
  // other connections when this one is lost, without a word.
  virtual void on_peer_up(const PeerInfo& peer, TargetId target) = 0;
  // Its session has ended. Comes before on_undeliverable, on_unacknowledged and on_peer_down tell of it, so
  // that whoever chooses among nodes knows of the loss before those who lost something choose again.
  virtual void on_peer_closing(const PeerInfo& /*peer*/, const Status& /*reason*/) {}
  // Its session ended; exactly once after each on_peer_up.
  virtual void on_peer_down(const PeerInfo& peer, const Status& reason) = 0;
  // It has been silent for a while, and counts as down if that goes on; or it is heard again. Our own
  // verdict, of this pair only.
  virtual void on_peer_suspected(const PeerInfo& /*peer*/, bool /*suspected*/) {}
  // One envelope from a peer whose session is up. The views point into `frame`, and live until the call
  // returns, or for as long as a share of it.
  virtual void on_envelope(const PeerInfo& peer, const EnvelopeView& envelope, FrameIn frame) = 0;
  // The envelopes of one frame have been told. An error ends the session: whoever keeps to the protocol does
  // not have so much here.
  [[nodiscard]] virtual Status on_frame_end(const PeerInfo& peer) = 0;
  // Envelopes given to submit() that were never sent to the peer, with the reason.
  virtual void on_undeliverable(NodeId node, std::string_view envelopes, const Status& reason) = 0;
  // Envelopes that were sent when their session ended before the peer had acknowledged them: they may or may
  // not have arrived. on_peer_down follows.
  virtual void on_unacknowledged(NodeId node, std::string_view envelopes, const Status& reason) = 0;
  // Less waits for `node`, for those who asked its Backlog: ok, or the reason why all of it was returned.
  virtual void on_drained(NodeId node, const Status& how) = 0;
  // A target could not be reached or did not let us in (UNAVAILABLE: will be tried again;
  // PERMISSION_DENIED, UNAUTHENTICATED, ALREADY_EXISTS: it told us why it refuses; tried again too).
  virtual void on_target_failed(TargetId target, const Status& reason) = 0;
  // We got a certificate, from a broker or by use_certificate(); it is used from now on.
  virtual void on_enrolled(const v1::Certificate& certificate) = 0;
};

// Decides about newcomers who present a token instead of a certificate, with a key that the transport has
// proved. Brokers only. Called with the lock held, so it only begins: whoever writes the certificate down
// gives it, or the refusal in words for the newcomer, to Links::enrolled() with the same connection, once.
using Enroller = std::function<void(const v1::Hello& hello, const CurveKey& key, ConnectionId connection)>;

struct LinkOptions {
  NodeId node = NodeId::none;  // our own id
  std::uint64_t incarnation = 0;
  std::string name;   // the name to enrol with
  std::string token;  // presented while we have no certificate; may be empty
  Enroller enroller;  // null: nobody is enrolled here
};

class LinkMachine;

class Links {
 public:
  struct Counters {
    std::uint64_t frames_sent = 0, frames_received = 0, bytes_sent = 0, bytes_received = 0;
    std::uint64_t envelopes_received = 0, undeliverable = 0, refused = 0, malformed = 0;
    // Sessions that went on over a new connection; frames that came a second time because of it; chunks that
    // were sent and not acknowledged when their session ended; frames that were found missing.
    std::uint64_t resumed = 0, repeated = 0, unacknowledged = 0, missing = 0;
    // Times that the loop came back late by a beat or more, and doubted itself.
    std::uint64_t late = 0;
  };

  // All references must outlive *this. `identity` without a certificate enrols with options.token.
  Links(Transport& transport, const Clock& clock, Random& random, LinkEvents& events, Identity identity,
        LinkOptions options);
  ~Links();
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  // Keeps a session to whoever answers at one of `endpoints` (tried in turn) with `key`, for ever:
  // redials with capped, jittered backoff; none are given for one whose name is looked up still. Any thread.
  TargetId add_target(std::vector<std::string> endpoints, CurveKey key);

  // Dials a target at other endpoints from now on; a session with it goes on. Any thread.
  void retarget(TargetId target, std::vector<std::string> endpoints);

  // How to reach a node, from the directory. It is dialled when something is submitted for it, and
  // redialled while it is known. A record for the same id replaces the earlier one. Any thread.
  void learn(NodeId node, std::vector<std::string> endpoints, CurveKey key);
  // The directory has it no more: it is not dialled any more. A session with it stays, also while it looks
  // for its next connection, until it ends by itself. Any thread.
  void forget(NodeId node);

  // From now on, until `until_s` (Unix seconds), nobody with `key` is let in or stayed with: sessions with it
  // end, whoever dialled. Any thread.
  void revoke(CurveKey key, std::int64_t until_s);
  // The answer to a call of the enroller: a certificate for the key of that newcomer, or why there is none.
  // Nothing happens when it did not wait for that: limits::handshake_timeout, or until its connection ended.
  // Any thread, also the enroller's own.
  void enrolled(ConnectionId connection, Result<v1::Certificate> certificate);
  // Shows `certificate` from now on: to those who can be dialled at once, over another connection of the
  // same session. Any thread.
  void use_certificate(v1::Certificate certificate);
  // Our own, and whose certificates count. Any thread.
  [[nodiscard]] const CurveKey& key() const noexcept { return key_; }
  [[nodiscard]] const ClusterKey& cluster() const noexcept { return cluster_; }
  // The certificate that this node shows; empty before it is enrolled. Any thread.
  [[nodiscard]] std::optional<v1::Certificate> certificate() const { return published_.certificate(); }

  // Takes envelopes (bytes as append_envelope writes them, whole ones, at most one frame's worth) for
  // `node`. They leave with the next poll(). A node that is neither known nor connected, a full window
  // or a failed dial is answered by on_undeliverable. `downs_known` is how many on_peer_down had been called
  // as far as the sender knew: what was said in a session that has ended since does not go into the next one.
  // Gives an empty buffer for the next envelopes, which may have room already. Any thread; does not wake a
  // waiting poll.
  std::string submit(NodeId node, std::string envelopes, std::uint64_t downs_known = UINT64_MAX);
  // Whether there is room for more, for who would rather wait than be refused. Of `node` whether it is known
  // or not, in this session and in others. Any thread.
  [[nodiscard]] std::shared_ptr<Backlog> backlog(NodeId node);

  // Sends what was submitted, runs timers, waits up to `longest` for events and handles them. Returns at
  // once after wake(). With `only_if_free`, does nothing when another thread is inside (for the keeper).
  // True when it ran.
  bool poll(Duration longest, bool only_if_free = false);
  // Any thread.
  void wake() noexcept { transport_.wake(); }

  // Says goodbye: sends what waits and has it acknowledged, as far as that is possible until `deadline`, ends
  // every session and closes every connection. on_peer_down is called for each. The driving thread.
  void shut(TimePoint deadline);

  // When poll() will have something to do even if nothing comes: for who does not sleep in it, as the
  // simulator. Any thread.
  [[nodiscard]] TimePoint next_due() const;

  // Whom this node has a session with; and one of them, or nothing. Any thread; they do not wait for a poll
  // that sleeps.
  [[nodiscard]] std::vector<PeerInfo> peers() const { return published_.peers(); }
  [[nodiscard]] std::optional<PeerInfo> peer(NodeId node) const { return published_.peer(node); }
  // As of the end of the last poll(). Any thread; they do not wait for a poll that sleeps.
  [[nodiscard]] Counters counters() const;
  // Bytes of envelopes that wait to leave, for all nodes together.
  [[nodiscard]] std::size_t waiting_bytes() const;

 private:
  struct AddTarget {
    TargetId target;
    std::vector<std::string> endpoints;
    CurveKey key;
  };
  struct Retarget {
    TargetId target;
    std::vector<std::string> endpoints;
  };
  struct Learn {
    NodeId node;
    std::vector<std::string> endpoints;
    CurveKey key;
  };
  struct Forget {
    NodeId node;
  };
  struct Submit {
    NodeId node;
    std::string envelopes;
    std::uint64_t downs_known;
    std::shared_ptr<Backlog> backlog;  // may be null: nobody has asked
  };
  struct Revoke {
    CurveKey key;
    std::int64_t until_s;
  };
  struct UseCertificate {
    v1::Certificate certificate;
  };
  struct Enrolled {
    ConnectionId connection;
    Result<v1::Certificate> certificate;
  };
  using Command = std::variant<Submit, Learn, Forget, AddTarget, Retarget, Revoke, UseCertificate, Enrolled>;

  void push(Command command);
  // Hands the machine what was asked since the last time. With mutex_ held.
  void take_commands();
  void submit_now(Submit& submission);
  void publish();

  Transport& transport_;
  const Clock& clock_;
  const CurveKey key_;
  const ClusterKey cluster_;
  PublishedState published_;
  std::mutex mutex_;  // held by whoever is inside poll() or shut(), also while it sleeps
  std::unique_ptr<LinkMachine> machine_;
  std::vector<Command> taken_;

  mutable std::mutex front_mutex_;  // of what follows; held for moments only, and taken last
  std::vector<Command> commands_;
  std::unordered_map<NodeId, std::shared_ptr<Backlog>> backlogs_;
  std::size_t backlogs_swept_at_ = 64;  // those that nobody has any more go when there are so many
  std::uint64_t last_target_ = 0;
  Counters counters_;
  std::size_t waiting_bytes_ = 0;  // in outboxes
  Spares spares_;
  TimePoint due_ = never;
};

}  // namespace cobus::link
