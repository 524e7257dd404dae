// SPDX-License-Identifier: Apache-2.0
#include "node/worker/self.hpp"

#include "node/worker/node.hpp"

namespace cobus {

// The wait for room in a mailbox.
class Sent::ForRoom final : public Waiting, public SendInWaiting {
 public:
  bool begin(Home& home, Address its_receiver, EnvelopePtr its_envelope, std::coroutine_handle<> coroutine) {
    to = its_receiver;
    envelope = std::move(its_envelope);
    if (!park(coroutine, never)) return false;
    home.send_when_there_is_room(*this);
    return true;
  }
  // It is settled how it went, but others are to run first.
  void step_aside(Status status, std::coroutine_handle<> coroutine) noexcept {
    status_ = std::move(status);
    Waiting::step_aside(coroutine);
  }
  [[nodiscard]] bool gave_up() const noexcept override { return cause() != Cause::none; }
  void sent(Status status) noexcept override {
    status_ = std::move(status);
    wake(Cause::event);
  }
  // What is lost when this goes now.
  [[nodiscard]] const Envelope* unsent() const noexcept { return heard_ ? nullptr : envelope.get(); }
  [[nodiscard]] Status outcome() {
    heard_ = true;
    if (cause() == Cause::stop) return {Code::cancelled, "stopped while it waited for room in a mailbox"};
    return std::move(status_);
  }

 private:
  Status status_;
  bool heard_ = false;
};

// It was sent, or whoever sent it knows that it was not; or nobody does: it was not awaited, or its worker
// ended.
void Sent::forget() noexcept {
  const Envelope* const unsent = waiting_ != nullptr ? waiting_->unsent() : envelope_.get();
  if (unsent != nullptr) from_.home().node().dead_letter(DeadLetter::unsent, *unsent);
  delete waiting_;
}

bool Sent::await_suspend(std::coroutine_handle<> coroutine) {
  if (envelope_ != nullptr && to_ == Self(from_).address()) return false;  // nobody else would make room
  waiting_ = new ForRoom;
  if (envelope_ == nullptr) {
    waiting_->step_aside(std::move(status_), coroutine);
    return true;
  }
  return waiting_->begin(from_.home(), to_, std::move(envelope_), coroutine);
}

Status Sent::outcome() {
  envelope_.reset();
  return waiting_ != nullptr ? waiting_->outcome() : std::move(status_);
}

Status Self::dispatch_otherwise(Address to, EnvelopePtr& envelope) const {
  if (!to && envelope->extra().to_name.empty())
    return {Code::invalid_argument, "an empty address: nobody to send to"};
  Home& home = worker().home();
  if (to.node != home.node().id() && envelope->payload_size() > limits::message_bytes_max) {
    return {Code::out_of_range,
            "the message is larger than " + std::to_string(limits::message_bytes_max) + " bytes"};
  }
  return home.try_send(to.node, envelope);
}

MonitorRef Self::monitor(Address target) const { return worker().home().monitor(worker(), target); }
void Self::demonitor(MonitorRef monitor) const noexcept { worker().home().demonitor(worker(), monitor); }
void Self::link(Address peer) const { worker().home().link(worker(), peer); }
void Self::unlink(Address peer) const noexcept { worker().home().unlink(worker(), peer); }
void Self::trap_exits(bool trap) const { worker().bonded().trap_exits = trap; }
void Self::exit(Address target, Status reason) const {
  worker().home().exit(worker(), target, std::move(reason));
}
void Self::end_with(Status reason) const {
  if (!worker().ending) worker().bonded().end_reason = std::move(reason);
}
void Self::monitor_node(NodeId node) const { worker().home().monitor_node(worker(), node); }

Status Self::register_name(std::string name) const {
  Bonds& bonds = worker().bonded();
  if (!bonds.name.empty())
    return {Code::failed_precondition, "the worker is registered as '" + bonds.name + "'"};
  if (Status registered = node().register_name(name, address()); !registered.ok()) return registered;
  bonds.name = std::move(name);
  return {};
}

Address Self::whereis(std::string_view name) const { return node().whereis(name); }

void Self::limit_mailbox(MailboxLimits limits) const {
  worker().bonded().mailbox = limits;
  worker().mailbox.use(worker().bonds->mailbox);
  if (worker().senders_wait) worker().home().let_senders_in(worker());
}

}  // namespace cobus
