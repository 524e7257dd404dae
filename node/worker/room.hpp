// SPDX-License-Identifier: Apache-2.0
//
// What a Home knows of full mailboxes beyond itself: who elsewhere was told that one here is full, and which
// ones elsewhere are known to be, with the senders that wait for them. `Elsewhere` is another shard of this
// node, or another node as a whole. Plain values of Home's, used on its shard only (home_room.cpp).
#pragma once

#include <cstdint>
#include <vector>

#include "node/runtime/list.hpp"
#include "node/worker/envelope.hpp"
#include "proto/address.hpp"
#include "proto/status.hpp"
#include "proto/type_id.hpp"

namespace cobus {

// A message that waits for room in a mailbox, here or elsewhere.
struct SendInWaiting : ListHook {
  Address to;
  EnvelopePtr envelope;
  // It is in the mailbox or on its way there, or lost with the worker that it was for.
  virtual void sent(Status status) noexcept = 0;
  // Its worker was asked to stop, and is told that nothing was sent.
  [[nodiscard]] virtual bool gave_up() const noexcept = 0;

 protected:
  ~SendInWaiting() = default;
};

struct Elsewhere {
  NodeId node = NodeId::none;
  std::uint32_t shard = 0;  // of this node; always 0 of another
  friend bool operator==(const Elsewhere&, const Elsewhere&) = default;
};

// Who was told that the mailbox of a worker here is full, and not yet that it has room.
struct ToldFull {
  Elsewhere who;
  std::vector<TypeId> asked;  // of what waits there
};

// A worker elsewhere whose home said that its mailbox is full.
struct FullElsewhere {
  List<SendInWaiting> waiting;
  std::vector<TypeId> asked;    // of messages that wait here: its home was told so
  std::vector<TypeId> awaited;  // it takes one of these, full or not
};

}  // namespace cobus
