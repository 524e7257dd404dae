// SPDX-License-Identifier: Apache-2.0
//
// Call: both ends of a request. Callee: Call is the handle a handler gets, CallState the runtime's
// side of it. Caller: call_method; with streams, call_stream.hpp. A call ends exactly once: with a reply,
// an error, or DEADLINE_EXCEEDED at its deadline; a late reply never reaches anybody.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "node/runtime/await.hpp"
#include "node/runtime/task.hpp"
#include "node/worker/envelope.hpp"
#include "node/worker/flow.hpp"
#include "node/worker/home.hpp"
#include "node/worker/self.hpp"

namespace cobus {

struct Method;
class Upstream;

// The runtime's side of one call that is being handled. Lives in the frame of the handling worker.
class CallState final : HandledCall {
 public:
  CallState(Self self, const Method& method, const Envelope& request);
  // Answers CANCELLED if nothing else was answered: the handler was ended.
  ~CallState();
  CallState(const CallState&) = delete;
  CallState& operator=(const CallState&) = delete;

  // The first answer counts.
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
    [[nodiscard]] bool await_ready() const noexcept { return wanted() && may_go_on(); }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
      if (wanted()) {
        step_aside(coroutine);
        return true;
      }
      state_.room_ = this;
      return park(coroutine, never);
    }
    [[nodiscard]] bool await_resume() const noexcept { return wanted(); }

   private:
    friend class CallState;
    [[nodiscard]] bool wanted() const noexcept { return state_.window_.open() && !stop_requested(); }
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
  friend class Upstream;
  [[nodiscard]] Shown shown() const noexcept override;
  void credited(const Address& from, std::uint64_t its_call, std::uint32_t more) noexcept override;
  void streamed(EnvelopePtr envelope) noexcept override;
  void not_sent(std::uint64_t its_call, const Status& reason) noexcept override;
  [[nodiscard]] bool streaming() const noexcept override;
  [[nodiscard]] TimePoint caller_gives_up() const noexcept override { return deadline; }
  void send(EnvelopePtr envelope, v1::Kind kind, std::uint32_t its_flags = 0);

  SendWindow window_;
  bool answered_ = false;
  Room* room_ = nullptr;
  Upstream* upstream_ = nullptr;  // the items that the caller streams, if it does
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

// Which nodes a call may go to; empty: any.
using NodeFilter = std::function<bool(NodeId)>;

// How long a call may take when neither the caller nor the method says so.
inline constexpr Duration call_timeout_default = std::chrono::seconds(30);

struct CallOptions {
  // How long the call may take, other nodes that are asked included. Not set: what the method's provider says
  // (timeout_ms in its options), else 30 s. Negative: no limit. A handler's calls also end when the caller of
  // the handler gives up.
  std::optional<Duration> timeout = std::nullopt;
  std::uint32_t flags = 0;  // v1::EnvelopeFlag
  TraceContext trace;
  std::function<void(const v1::Progress&)> on_progress;  // runs on the shard; asks the callee for progress
  std::uint32_t credit = limits::stream_credit;
  // Of a call to whichever node offers the method: the nodes it may go to; empty: all. Runs on the shard.
  NodeFilter eligible = {};
};

// Whether a call failed before its handler began, so that nothing was done: its node is stopping, has no
// room or not the method, or the request never left this one.
[[nodiscard]] bool never_started(const Status& error) noexcept;

// A call with the payload as it is: what typed and untyped callers share. The REPLY envelope, or the
// status: NOT_FOUND (no node offers it), UNIMPLEMENTED, UNAVAILABLE (the callee's node was lost),
// DEADLINE_EXCEEDED, CANCELLED (the caller was asked to stop), or whatever the handler answered.
// With `node` none, a node that offers the method is chosen, this one first; when another one fails the call
// before it began, or loses it and the method is idempotent, the next is asked (see ProviderSearch). The
// error is then that of the last one.
[[nodiscard]] Task<Result<EnvelopePtr>> call_envelope(Self self, NodeId node, std::string method,
                                                      EnvelopePtr request, CallOptions options);

template <ProtobufMessage Reply, ProtobufMessage Request>
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
template <ProtobufMessage Reply, ProtobufMessage Request>
[[nodiscard]] Task<Result<Reply>> call_worker(Self self, Address to, Request request,
                                              CallOptions options = {}) {
  EnvelopePtr envelope = std::make_unique<TypedEnvelope<Request>>(std::move(request));
  envelope->to = to.worker;
  Result<EnvelopePtr> reply =
      co_await call_worker_envelope(self, to.node, std::move(envelope), std::move(options));
  if (!reply) co_return fail(std::move(reply).error());
  co_return take<Reply>(**reply);
}

namespace detail {

// What the callers of both kinds of calls share. Fills in what every request has, and sends it. The request
// again when it went to another node, else null.
[[nodiscard]] EnvelopePtr send_request(Self self, PendingCall& call, std::string method, EnvelopePtr request,
                                       const CallOptions& options, TimePoint deadline);
// To the handler of a call, or, with a worker in `to`, to a worker that was asked.
void send_cancel(Home& home, Address from, Address to, std::uint64_t call, std::uint32_t flags);
// When a call of `method` at `node` that begins now ends at the latest.
[[nodiscard]] TimePoint deadline_of(Self self, NodeId node, std::string_view method,
                                    const CallOptions& options);
// UNKNOWN for an ERROR without a code.
[[nodiscard]] Status error_of(const Envelope& error);
[[nodiscard]] Status deadline_status(const std::string& method);
// INTERNAL when the caller's function throws; what is no progress is ignored.
[[nodiscard]] Status tell_progress(const CallOptions& options, Envelope& envelope) noexcept;

}  // namespace detail

}  // namespace cobus
