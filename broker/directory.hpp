// SPDX-License-Identifier: Apache-2.0
//
// Directory: who is alive, what it offers and how busy it is: soft state that the nodes tell and renew.
// Decisions only: no sockets, no clock, one shard. The caller has checked who speaks, passes `now`, and
// after each call that changes something takes the deltas and sends them to whoever watches.
#pragma once

#include <cobus/v1/directory.pb.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/lease_table.hpp"
#include "node/link/keys.hpp"
#include "node/link/revocations.hpp"
#include "proto/limits.hpp"

namespace cobus::broker {

// Changes of load that arrive within this time are told in one delta.
inline constexpr std::chrono::milliseconds load_interval{500};

// A node that left is told as down for this long, and so many of them at most.
inline constexpr std::chrono::seconds down_told{60};
inline constexpr std::size_t down_told_max = 1000;

// What the certificate of the speaker proves.
struct Proof {
  std::string name;
  link::CurveKey key;
};

class Directory {
 public:
  explicit Directory(Duration lease_ttl = limits::lease_ttl) noexcept : leases_(lease_ttl) {}

  // A directory that has just started: nodes of these names were registered in its earlier life. Until each
  // of them is registered again, or until `until`, it says that it may not know every node. Call it once,
  // first.
  void expect(const std::vector<std::string>& names, TimePoint until);
  // Whether it says so.
  [[nodiscard]] bool filling() const noexcept { return !expected_.empty(); }
  // Names of the registered and of the expected nodes; the broker saves them for its next start.
  [[nodiscard]] std::vector<std::string> names() const;

  // Takes in what a node says of itself and starts its lease. An earlier life of the same name and key is
  // replaced. Repeating a record, or an older revision of it, only renews.
  // INVALID_ARGUMENT: no node id, a name that is not allowed, too large. PERMISSION_DENIED: the name or node
  // id is not the speaker's. ALREADY_EXISTS: another key holds the name; both are named. FAILED_PRECONDITION:
  // a later life has registered. Nothing but ended leases is changed then.
  [[nodiscard]] Result<void> register_node(v1::NodeRecord record, const Proof& proof, TimePoint now);

  // Extends the lease. False when the node is not known in this life: it must register again.
  [[nodiscard]] bool renew(NodeId node, Incarnation incarnation, const v1::Load& load, TimePoint now);

  // The node says that it goes; its connection is gone. Nothing happens for one that is not known.
  void leave(NodeId node, TimePoint now) { depart(node, "left", now); }
  void connection_lost(NodeId node, TimePoint now) { depart(node, "connection lost", now); }

  // This broker hears nothing from the node, or hears it again: told as its own verdict. Nothing happens for
  // one that is not known.
  void suspect(NodeId node, bool suspected);

  // These keys count no more: watchers are told, and nodes that have them leave.
  void revoke(const std::vector<link::Revoked>& revoked, TimePoint now);

  // Removes nodes whose lease ended, puts out collected changes of load, and expects nobody any more when it
  // is time. Call at `next_expiry`.
  void expire(TimePoint now);
  // When `expire` next has something to do; `never` if nothing is pending.
  [[nodiscard]] TimePoint next_expiry() const noexcept;

  // How far a snapshot that is told in parts has come.
  struct Told {
    std::uint32_t parts = 0;
    std::uint64_t sequence = 0;
    NodeId node = NodeId::none;           // the last one
    std::string down;                     // the name of the last one
    std::vector<v1::Revocation> revoked;  // to be told first, the last one first
  };
  // The next part of everything, with the sequence number of the last delta before the first part, and of who
  // left a short while ago. What changes between two parts is for the deltas to tell, which may repeat it.
  [[nodiscard]] v1::DirectoryEvent snapshot_part(Told& told, TimePoint now) const;
  // The changes since the last call; their sequence numbers grow by one. Like a part of a snapshot, each has
  // at most directory_event_bytes_max.
  [[nodiscard]] std::vector<v1::DirectoryEvent> take_deltas();

  // nullptr when it is not known; valid until the next change.
  [[nodiscard]] const v1::NodeRecord* find(NodeId node) const;
  [[nodiscard]] const v1::NodeRecord* find(std::string_view name) const;
  // The certificates in the records.
  [[nodiscard]] std::vector<v1::CertificateBody> certificates() const;
  // The key that holds a name, if one does. Any thread.
  [[nodiscard]] std::optional<link::CurveKey> holder(std::string_view name) const;
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    v1::NodeRecord record;
    link::CurveKey key;
    TimePoint renewed;
  };
  struct Departed {
    v1::NodeRecord record;
    TimePoint renewed;
    TimePoint left;
  };

  [[nodiscard]] Status check(const v1::NodeRecord& record, const Proof& proof) const;
  [[nodiscard]] Status check_earlier(const v1::NodeRecord& record, const Proof& proof) const;
  void depart(NodeId node, std::string_view reason, TimePoint now);
  void remove(NodeId node, std::string_view reason, v1::DirectoryEvent& delta);
  void remember(NodeId node, TimePoint now);
  void hold(const std::string& name, NodeId node, const link::CurveKey& key);
  void let_go(const std::string& name);
  void put_out_loads(TimePoint now);
  void end_filling();
  v1::DirectoryEvent& add_delta();

  std::set<std::string, std::less<>> expected_;
  TimePoint expected_until_ = never;
  LeaseTable leases_;
  std::map<NodeId, Entry> entries_;
  std::map<std::string, NodeId, std::less<>> by_name_;
  mutable std::mutex holders_mutex_;
  std::map<std::string, link::CurveKey, std::less<>> holders_;  // of those names; guarded by holders_mutex_
  std::map<std::string, Departed> departed_;                    // by name; none that is in by_name_
  std::vector<v1::DirectoryEvent> deltas_;
  std::uint64_t sequence_ = 0;
  std::set<NodeId> loads_changed_;
  TimePoint loads_due_ = never;
};

}  // namespace cobus::broker
