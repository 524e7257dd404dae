// SPDX-License-Identifier: Apache-2.0
//
// Received: what receive() gives: a message, or a request of another worker that waits for an answer.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "node/worker/envelope.hpp"
#include "node/worker/home.hpp"
#include "node/worker/rules.hpp"
#include "proto/address.hpp"
#include "proto/status.hpp"

namespace cobus {

// A message that was received: who sent it, and which of the awaited types it is. One that was sent with
// call_worker() waits for an answer; destroyed without, it is answered with an error. Lives in the worker's
// coroutines, and may be kept there to be answered later.
template <class... Messages>
class Received {
  template <class First, class...>
  struct Only {
    using Type = First;
  };
  using Sole = typename Only<Messages...>::Type;

 public:
  Received(Worker& worker, EnvelopePtr envelope) noexcept
      : worker_(&worker), envelope_(std::move(envelope)) {}
  Received(Received&&) noexcept = default;
  Received& operator=(Received&& other) noexcept {
    if (this != &other) {
      drop();
      worker_ = other.worker_;
      envelope_ = std::move(other.envelope_);
    }
    return *this;
  }
  Received(const Received&) = delete;
  Received& operator=(const Received&) = delete;
  ~Received() { drop(); }
  [[nodiscard]] Address from() const noexcept { return envelope_->from; }
  // Whether somebody waits for reply() or refuse().
  [[nodiscard]] bool wants_reply() const noexcept { return envelope_->kind == v1::REQUEST; }
  // When whoever waits gives up; `never` when nobody does.
  [[nodiscard]] TimePoint deadline() const noexcept { return envelope_->deadline; }
  // Answers it, once; afterwards, and when nobody waits, they do nothing.
  template <ProtobufMessage Message>
  void reply(Message&& message) {
    answer(std::make_unique<TypedEnvelope<std::remove_cvref_t<Message>>>(std::forward<Message>(message)),
           v1::REPLY);
  }
  void refuse(Status status) {
    auto error = std::make_unique<SignalEnvelope>();
    error->extra().status = std::move(status);
    answer(std::move(error), v1::ERROR);
  }
  // The message when it is a `Message`, else null. Lives as long as *this.
  template <class Message>
  [[nodiscard]] Message* as() noexcept {
    return envelope_->type == type_id_of<Message>() ? &static_cast<TypedEnvelope<Message>&>(*envelope_).body
                                                    : nullptr;
  }
  // Of the only type that was awaited.
  [[nodiscard]] auto& operator*() noexcept
    requires(sizeof...(Messages) == 1)
  {
    return static_cast<TypedEnvelope<Sole>&>(*envelope_).body;
  }
  [[nodiscard]] auto* operator->() noexcept
    requires(sizeof...(Messages) == 1)
  {
    return &static_cast<TypedEnvelope<Sole>&>(*envelope_).body;
  }

 private:
  void answer(EnvelopePtr with, v1::Kind kind) {
    if (!wants_reply()) return;
    envelope_->kind = v1::MESSAGE;
    with->kind = kind;
    with->flags = envelope_->flags & v1::HIDDEN;
    with->to = envelope_->from.worker;
    with->call = envelope_->call;
    worker_->home().answer_from(*worker_, envelope_->from.node, std::move(with));
  }
  void drop() noexcept {
    if (envelope_ != nullptr && wants_reply()) worker_->unanswered(std::move(envelope_));
  }

  Worker* worker_;
  EnvelopePtr envelope_;
};

}  // namespace cobus
