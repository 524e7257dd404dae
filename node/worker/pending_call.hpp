// SPDX-License-Identifier: Apache-2.0
//
// PendingCall: what a Home knows of a call that one of its workers waits for: whom it asked, and where
// answers go. Derived from by what makes calls; used on its shard only.
#pragma once

#include <cstdint>
#include <string_view>

#include "node/worker/envelope.hpp"
#include "proto/address.hpp"

namespace cobus {

// A call or stream that a worker of this shard waits for.
class PendingCall {
 public:
  // Who asked for what, for whoever looks inside. The view lives as long as the call.
  struct Shown {
    WorkerId caller;
    std::string_view method;
  };
  [[nodiscard]] virtual Shown shown() const noexcept { return {}; }
  // REPLY, ITEM, END or ERROR, and the callee's CREDIT or CANCEL of the items that are streamed to it.
  // After a REPLY, END or ERROR the call is no longer registered.
  virtual void answered(EnvelopePtr envelope) noexcept = 0;
  NodeId callee = NodeId::none;
  std::uint64_t id = 0;

 protected:
  PendingCall() noexcept = default;
  ~PendingCall() = default;
};

}  // namespace cobus
