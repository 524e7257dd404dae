// SPDX-License-Identifier: Apache-2.0
#include "node/worker/self.hpp"

#include "node/worker/node.hpp"

namespace cobus {

Address Self::address() const noexcept { return Address{worker_->home.node().id(), worker_->id}; }

Status Self::dispatch(Address to, EnvelopePtr envelope) const {
  if (!to) return {Code::invalid_argument, "an empty address: nobody to send to"};
  if (envelope->payload_size() > limits::payload_bytes_max) {
    return {Code::resource_exhausted,
            "the message is larger than " + std::to_string(limits::payload_bytes_max) + " bytes"};
  }
  envelope->from = address();
  envelope->to = to.worker;
  worker_->home.send(to.node, std::move(envelope));
  return {};
}

}  // namespace cobus
