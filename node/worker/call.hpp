// SPDX-License-Identifier: Apache-2.0
//
// Call: both ends of a request. Callee: Call is the handle a handler gets, CallState the runtime's
// side of it. Caller: call_method and open_stream. A call ends exactly once: with a reply, an error,
// or DEADLINE_EXCEEDED at its deadline; a late reply never reaches anybody.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "node/runtime/await.hpp"
#include "node/runtime/task.hpp"
#include "node/worker/envelope.hpp"
#include "node/worker/home.hpp"
#include "node/worker/self.hpp"

namespace cobus {

struct Method;

// The runtime's side of one call that is being handled. Lives in the frame of the handling worker.
class CallState final : HandledCall {
 public:
  CallState(Self self, const Method& method, const Envelope& request);
  // Answers CANCELLED if nothing else was answered: the handler was ended.
  ~CallState();
  CallState(const CallState&) = delete;
  CallState& operator=(const CallState&) = delete;

  void reply(EnvelopePtr envelope);   // REPLY
  void finish(const Status& status);  // END when ok, else ERROR
  // ITEM, uses one credit. One that is too large for a message ends the stream with OUT_OF_RANGE.
  void item(EnvelopePtr envelope);
  void progress(double fraction, const std::string& note);

  // Waits until the consumer takes one more item. False when the call is no longer wanted.
  class [[nodiscard]] Room : Waiting {
   public:
    static constexpr AwaitKind awaits = AwaitKind::credit;
    explicit Room(CallState& state) noexcept : state_(state) {}
    ~Room() {
      if (state_.room_ == this) state_.room_ = nullptr;
    }
    [[nodiscard]] bool await_ready() const noexcept {
      return state_.credit_ > 0 && !stop_requested() && may_go_on();
    }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
      if (state_.credit_ > 0 && !stop_requested()) {
        step_aside(coroutine);
        return true;
      }
      state_.room_ = this;
      return park(coroutine, never);
    }
    [[nodiscard]] bool await_resume() noexcept { return state_.credit_ > 0 && !stop_requested(); }

   private:
    friend class CallState;
    void credited() noexcept { wake(Cause::event); }
    CallState& state_;
  };
  [[nodiscard]] Room room() noexcept { return Room(*this); }

  const Self self;
  const Method& method;
  const Address caller_address;
  const std::uint64_t call;
  const std::uint32_t flags;
  const TimePoint deadline;
  const Caller caller;
  const TraceContext trace;

 private:
  static constexpr std::uint32_t credit_max = 0xffff;
  [[nodiscard]] Shown shown() const noexcept override;
  void credited(const Address& from, std::uint64_t its_call, std::uint32_t more) noexcept override;
  [[nodiscard]] bool streaming() const noexcept override;
  [[nodiscard]] TimePoint caller_gives_up() const noexcept override { return deadline; }
  void send(EnvelopePtr envelope, v1::Kind kind);

  std::uint32_t credit_;
  bool answered_ = false;
  Room* room_ = nullptr;
};

// What a handler holds of the call it handles. By value; valid inside the handler.
class Call {
 public:
  explicit Call(CallState& state) noexcept : state_(&state) {}
  [[nodiscard]] Self self() const noexcept { return state_->self; }
  // Proven are the role and, by its connection, the node; the name is what the broker admitted, and is free
  // again once nobody holds it: show it, decide nothing by it.
  [[nodiscard]] const Caller& caller() const noexcept { return state_->caller; }
  [[nodiscard]] Address caller_address() const noexcept { return state_->caller_address; }
  // When the caller gives up; `never` when it does not.
  [[nodiscard]] TimePoint deadline() const noexcept { return state_->deadline; }
  // The caller no longer wants it, or the node stops: end soon.
  [[nodiscard]] bool stop_requested() const noexcept { return state_->self.stop_requested(); }
  // Tells the caller how far it is, if it wants to know. `fraction` 0 to 1, negative when unknown.
  void progress(double fraction, const std::string& note = {}) const { state_->progress(fraction, note); }

 private:
  CallState* state_;
};

struct CallOptions {
  // Negative: none. A handler's calls also end when the caller of the handler gives up.
  Duration timeout = std::chrono::seconds(30);
  std::uint32_t flags = 0;  // v1::EnvelopeFlag
  TraceContext trace;
  std::function<void(const v1::Progress&)> on_progress;  // runs on the shard; asks the callee for progress
  std::uint32_t credit = limits::stream_credit;
};

// Whether a call failed before its handler began, so that nothing was done: its node is stopping, has no
// room or not the method, or the request never left this one.
[[nodiscard]] bool never_started(const Status& error) noexcept;

// A call with the payload as it is: what typed and untyped callers share. The REPLY envelope, or the
// status: NOT_FOUND (no node offers it), UNIMPLEMENTED, UNAVAILABLE (the callee's node was lost),
// DEADLINE_EXCEEDED, CANCELLED (the caller was asked to stop), or whatever the handler answered.
// With `node` none, a node that offers the method is chosen.
[[nodiscard]] Task<Result<EnvelopePtr>> call_envelope(Self self, NodeId node, std::string method,
                                                      EnvelopePtr request, CallOptions options);

template <class Reply, class Request>
[[nodiscard]] Task<Result<Reply>> call_method(Self self, NodeId node, std::string method, Request request,
                                              CallOptions options = {}) {
  EnvelopePtr envelope = std::make_unique<TypedEnvelope<Request>>(std::move(request));
  Result<EnvelopePtr> reply =
      co_await call_envelope(self, node, std::move(method), std::move(envelope), std::move(options));
  if (!reply) co_return fail(std::move(reply).error());
  co_return take<Reply>(**reply);
}

// The same to one worker, here or elsewhere, as it is: `request->to` says which. NOT_FOUND when there is no
// such worker, RESOURCE_EXHAUSTED when its mailbox is full, the reason that it ended with when it ended
// before it answered (UNAVAILABLE for an orderly one), with the detail cause=down.
[[nodiscard]] Task<Result<EnvelopePtr>> call_worker_envelope(Self self, NodeId node, EnvelopePtr request,
                                                             CallOptions options);

// Asks the worker at `to`: the request goes into its mailbox, in order with all else that is sent there, and
// Received::reply() answers it. Needs no monitor: when the worker or its node is gone, the call says so.
template <class Reply, class Request>
[[nodiscard]] Task<Result<Reply>> call_worker(Self self, Address to, Request request,
                                              CallOptions options = {}) {
  EnvelopePtr envelope = std::make_unique<TypedEnvelope<Request>>(std::move(request));
  envelope->to = to.worker;
  Result<EnvelopePtr> reply =
      co_await call_worker_envelope(self, to.node, std::move(envelope), std::move(options));
  if (!reply) co_return fail(std::move(reply).error());
  co_return take<Reply>(**reply);
}

// The items of a remote stream, as envelopes. Destroying it early tells the producer to stop.
class EnvelopeStream {
 public:
  EnvelopeStream(Self self, NodeId node, std::string method, EnvelopePtr request, CallOptions options);
  EnvelopeStream(EnvelopeStream&&) noexcept;
  EnvelopeStream& operator=(EnvelopeStream&&) noexcept;
  ~EnvelopeStream();

  // The next item; null once it ended, then status() says how.
  [[nodiscard]] Task<EnvelopePtr> next();
  [[nodiscard]] const Status& status() const noexcept;

 private:
  class State;
  std::unique_ptr<State> state_;
};

template <class Item>
class ItemStream {
 public:
  explicit ItemStream(EnvelopeStream envelopes) noexcept : envelopes_(std::move(envelopes)) {}
  // The next item; nothing once the stream ended, then status() says how. A malformed item ends it.
  [[nodiscard]] Task<std::optional<Item>> next() {
    if (!malformed_.ok()) co_return std::nullopt;
    EnvelopePtr envelope = co_await envelopes_.next();
    if (envelope == nullptr) co_return std::nullopt;
    Result<Item> item = take<Item>(*envelope);
    if (!item) {
      malformed_ = std::move(item).error();
      co_return std::nullopt;
    }
    co_return std::move(*item);
  }
  [[nodiscard]] const Status& status() const noexcept {
    return malformed_.ok() ? envelopes_.status() : malformed_;
  }

 private:
  EnvelopeStream envelopes_;
  Status malformed_;
};

template <class Item, class Request>
[[nodiscard]] ItemStream<Item> open_stream(Self self, NodeId node, std::string method, Request request,
                                           CallOptions options = {}) {
  EnvelopePtr envelope = std::make_unique<TypedEnvelope<Request>>(std::move(request));
  return ItemStream<Item>(
      EnvelopeStream(self, node, std::move(method), std::move(envelope), std::move(options)));
}

}  // namespace cobus
