// SPDX-License-Identifier: Apache-2.0
//
// Bonds: what ties a worker to others: who watches it, whom it watches, to whom it is linked, under
// which name it is known. Most workers have none, so a worker holds them behind one pointer. The
// rules are those of Erlang/OTP's signals; Home applies them (bonds.cpp). Used on the worker's shard.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "node/runtime/list.hpp"
#include "node/worker/mailbox.hpp"
#include "proto/address.hpp"
#include "proto/status.hpp"

namespace cobus {

// Names one monitor of one watcher. Never 0.
enum class MonitorRef : std::uint64_t {};

class SupervisorFace;

struct Bonds {
  // One side's view of a link. While an unlink is on its way the link is not active: exits of the peer
  // are ignored until it acknowledged, so that none that it sent before comes as a surprise.
  struct Link {
    bool active = true;
    std::uint64_t unlink = 0;  // the unlink that waits for its acknowledgement
  };
  struct Watcher {
    Address address;
    std::uint64_t ref;
    friend bool operator==(const Watcher&, const Watcher&) = default;
  };
  struct WatcherHash {
    std::size_t operator()(const Watcher& watcher) const noexcept {
      return std::hash<Address>{}(watcher.address) ^ (watcher.ref * 0x9e3779b97f4a7c15ULL);
    }
  };

  std::unordered_map<Watcher, char, WatcherHash> watchers;  // a set; the value says nothing
  std::unordered_map<std::uint64_t, Address> monitors;      // by ref
  std::unordered_map<Address, Link> links;
  std::unordered_set<NodeId> watched_nodes;
  Address spawner;  // when that is a worker of another node; see Worker::parent
  std::string name;
  MailboxLimits mailbox;               // when they are not the usual ones
  Status end_reason;                   // what it ends with when it returns
  std::vector<EnvelopePtr> abandoned;  // requests that an exception took along; answered when it is clear why
  bool trap_exits = false;
  SupervisorFace* supervisor = nullptr;  // while it supervises
};

}  // namespace cobus
