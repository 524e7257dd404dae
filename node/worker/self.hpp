// SPDX-License-Identifier: Apache-2.0
//
// Self: what a worker's coroutine holds of its own worker: its address, receive, send, spawn. Taken by
// value. Valid inside that worker's coroutines and nowhere else.
#pragma once

#include <array>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "node/runtime/await.hpp"
#include "node/runtime/task.hpp"
#include "node/worker/envelope.hpp"
#include "node/worker/home.hpp"

namespace cobus {

// A message that was received: who sent it, and which of the awaited types it is.
template <class... Messages>
class Received {
 public:
  Received(Address from, std::variant<Messages...> body) : from_(from), body_(std::move(body)) {}
  [[nodiscard]] Address from() const noexcept { return from_; }
  // The message when it is a `Message`, else null. Lives as long as *this.
  template <class Message>
  [[nodiscard]] Message* as() noexcept {
    return std::get_if<Message>(&body_);
  }
  // Of the only type that was awaited.
  [[nodiscard]] auto& operator*() noexcept
    requires(sizeof...(Messages) == 1)
  {
    return std::get<0>(body_);
  }
  [[nodiscard]] auto* operator->() noexcept
    requires(sizeof...(Messages) == 1)
  {
    return &std::get<0>(body_);
  }

 private:
  Address from_;
  std::variant<Messages...> body_;
};

// The wait for a message of certain types; see Self::receive.
template <class... Messages>
class [[nodiscard]] Receive : Waiting, Receiver {
 public:
  Receive(Worker& worker, Duration timeout) noexcept : worker_(worker), timeout_(timeout) {}
  ~Receive() {
    if (worker_.receiver == this) worker_.receiver = nullptr;
  }
  [[nodiscard]] bool await_ready() {
    envelope_ = worker_.mailbox.take_first(types().data(), sizeof...(Messages));
    return envelope_ != nullptr;
  }
  bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
    COBUS_CHECK(worker_.receiver == nullptr);
    worker_.receiver = this;
    const TimePoint until = timeout_ < Duration(0) ? never : worker_.shard->clock().now() + timeout_;
    return park(coroutine, until);
  }
  [[nodiscard]] Result<Received<Messages...>> await_resume() {
    if (worker_.receiver == this) worker_.receiver = nullptr;
    if (envelope_ == nullptr) envelope_ = worker_.mailbox.take_first(types().data(), sizeof...(Messages));
    if (envelope_ == nullptr) {
      if (cause() == Cause::stop) return fail(Code::cancelled, "stopped while it waited for a message");
      return fail(Code::deadline_exceeded, "no message came in time");
    }
    Result<Received<Messages...>> received = fail(Code::internal, "");
    static_cast<void>((decode<Messages>(received) || ...));
    return received;
  }

 private:
  static const std::array<TypeId, sizeof...(Messages)>& types() {
    static const std::array<TypeId, sizeof...(Messages)> ids{type_id_of<Messages>()...};
    return ids;
  }
  void arrived(Envelope& envelope) noexcept override {
    for (const TypeId wanted : types()) {
      if (envelope.type == wanted) return wake(Cause::event);
    }
  }
  template <class Message>
  bool decode(Result<Received<Messages...>>& received) {
    if (envelope_->type != type_id_of<Message>()) return false;
    Result<Message> message = take<Message>(*envelope_);
    if (message) {
      received = Received<Messages...>(envelope_->from, std::variant<Messages...>(std::move(*message)));
    } else {
      received = fail(std::move(message).error());
    }
    return true;
  }

  Worker& worker_;
  Duration timeout_;
  EnvelopePtr envelope_;
};

// A send that completes at once: there is room, or the status says why not.
class [[nodiscard]] Sent {
 public:
  explicit Sent(Status status) noexcept : status_(std::move(status)) {}
  [[nodiscard]] bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  [[nodiscard]] Status await_resume() noexcept { return std::move(status_); }

 private:
  Status status_;
};

class Self {
 public:
  explicit Self(Worker& worker) noexcept : worker_(&worker) {}

  [[nodiscard]] Address address() const noexcept;
  [[nodiscard]] Node& node() const noexcept { return worker_->home.node(); }
  [[nodiscard]] Worker& worker() const noexcept { return *worker_; }
  [[nodiscard]] bool stop_requested() const noexcept { return worker_->stop.requested(); }

  // The next message of one of the types; others stay queued in order. DEADLINE_EXCEEDED after
  // `timeout` (negative: none), CANCELLED once the worker is asked to stop, INVALID_ARGUMENT for a
  // message whose bytes are malformed (it is gone then). One receive at a time.
  template <class... Messages>
  [[nodiscard]] Receive<Messages...> receive(Duration timeout = Duration(-1)) const noexcept {
    return Receive<Messages...>(*worker_, timeout);
  }

  // Sends to a worker, here or elsewhere. Ok: it is on its way, in order with all else sent to that
  // worker. To a worker that is gone it is counted as a dead letter.
  template <class Message>
  [[nodiscard]] Sent send(Address to, Message message) const {
    return Sent(try_send(to, std::move(message)));
  }
  template <class Message>
  [[nodiscard]] Status try_send(Address to, Message message) const {
    return dispatch(to, std::make_unique<TypedEnvelope<Message>>(std::move(message)));
  }

  // A new worker on this shard that runs `function(Self, arguments...)`, a coroutine function. Gives its
  // address at once; it starts when this worker waits. `kind` names it in reports; static storage.
  template <class Function, class... Arguments>
  Address spawn(const char* kind, Function function, Arguments... arguments) const;

  // Ends this worker as soon as it waits next. Its calls are cancelled.
  void stop() const noexcept { worker_->stop.request(); }

 private:
  [[nodiscard]] Status dispatch(Address to, EnvelopePtr envelope) const;

  Worker* worker_;
};

template <class Function, class... Arguments>
Address Self::spawn(const char* kind, Function function, Arguments... arguments) const {
  Home& home = worker_->home;
  Worker& made = home.make_worker(kind);
  home.start(made, function(Self(made), std::move(arguments)...));
  return Self(made).address();
}

}  // namespace cobus
