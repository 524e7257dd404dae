// SPDX-License-Identifier: Apache-2.0
#include "node/worker/incoming.hpp"

#include <utility>

#include "node/worker/node.hpp"

namespace cobus {

Upstream::Upstream(CallState& call) : ItemQueue(limits::stream_credit), call_(call) {
  call_.upstream_ = this;
  StopSource& stop = call_.self.worker().stop;
  if (stop.requested()) {
    stopped();
  } else {
    stop.add(on_stop_);
    give_credit(window());
  }
}

Upstream::~Upstream() { call_.upstream_ = nullptr; }

void Upstream::came(EnvelopePtr envelope) noexcept {
  if (envelope->kind == v1::END) return end({});
  if (ended()) {
    // What was on its way when the handler closed it is expected; whatever comes behind an END is not.
    if (!closed_) call_.self.node().dead_letter(DeadLetter::late, *envelope);
    return;
  }
  // Its node has too much here.
  if (const Status& refused = std::as_const(*envelope).extra().status; !refused.ok()) return refuse(refused);
  if (push(std::move(envelope))) return;
  refuse(Status(Code::resource_exhausted,
                "the caller of " + call_.method.name + " streams more items than it was given credit for"));
}

void Upstream::refuse(Status why) noexcept {
  call_.finish(why);
  leave(std::move(why));
  call_.self.stop();
}

void Upstream::give_credit(std::uint32_t more) {
  auto credit = std::make_unique<SignalEnvelope>();
  credit->extra().credit = more;
  call_.send(std::move(credit), v1::CREDIT, v1::UPSTREAM);
}

void Upstream::leave(Status why) {
  const bool goes_on = !ended();
  closed_ = closed_ || goes_on;
  abandon(std::move(why));
  if (goes_on && !call_.answered_) call_.send(std::make_unique<SignalEnvelope>(), v1::CANCEL, v1::UPSTREAM);
}

void Upstream::stopped() noexcept {
  if (ended() && size() == 0) return;  // all was read: a stop takes nothing away
  closed_ = closed_ || !ended();
  abandon(Status(Code::cancelled, "the call was cancelled, or its node stops"));
}

}  // namespace cobus
