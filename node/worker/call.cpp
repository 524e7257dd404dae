// SPDX-License-Identifier: Apache-2.0
#include "node/worker/call.hpp"

#include <algorithm>

#include "node/worker/incoming.hpp"
#include "node/worker/node.hpp"
#include "node/worker/provider_search.hpp"
#include "node/worker/service.hpp"
#include "proto/utf8.hpp"

namespace cobus {
namespace detail {

void send_cancel(Home& home, Address from, Address to, std::uint64_t call, std::uint32_t flags) {
  auto cancel = std::make_unique<SignalEnvelope>();
  cancel->kind = v1::CANCEL;
  cancel->flags = flags & v1::HIDDEN;
  cancel->from = from;
  cancel->to = to.worker;
  cancel->call = call;
  home.send(to.node, std::move(cancel));
}

TimePoint deadline_of(Self self, NodeId node, std::string_view method, const CallOptions& options) {
  const Worker& worker = self.worker();
  Duration timeout = options.timeout.value_or(call_timeout_default);
  if (!options.timeout) {
    const MethodTerms terms = self.node().terms(node, method);
    if (terms.timeout_ms != 0) timeout = std::chrono::milliseconds(terms.timeout_ms);
  }
  const TimePoint own = deadline_after(worker.shard->clock().now(), timeout);
  return worker.handled == nullptr ? own : std::min(own, worker.handled->caller_gives_up());
}

EnvelopePtr send_request(Self self, PendingCall& call, std::string method, EnvelopePtr request,
                         const CallOptions& options, TimePoint deadline) {
  Home& home = self.worker().home();
  home.add_call(call);
  request->kind = v1::REQUEST;
  request->flags = options.flags | (options.on_progress ? v1::WANTS_PROGRESS : 0U);
  request->from = self.address();
  request->call = call.id;
  request->deadline = deadline;
  if (!request->to) request->extra().to_name = std::move(method);
  request->extra().credit = options.credit;
  request->extra().trace = options.trace;
  return home.send_and_keep(call.callee, std::move(request));
}

Status deadline_status(const std::string& method) {
  return {Code::deadline_exceeded, method + " did not answer in time"};
}

Status tell_progress(const CallOptions& options, Envelope& envelope) noexcept {
  if (!options.on_progress) return {};
  Result<v1::Progress> progress = take<v1::Progress>(envelope);
  if (!progress) return {};
  try {
    options.on_progress(*progress);
  } catch (...) {
    Status thrown = exception_status();
    return {Code::internal, "on_progress: " + thrown.message()};
  }
  return {};
}

// What the runtime says of a call in the details of its error, it says to whoever made that call. A handler
// that passes on the error of another call does not say it of its own.
Status error_of(const Envelope& error) {
  const Status& status = error.extra().status;
  if (error.kind == v1::ERROR && status.ok()) {
    return {Code::unknown,
            status.message().empty() ? "the callee gave an error without a code" : status.message()};
  }
  if (!error.from.worker) return status;
  Status said(status.code(), status.message());
  for (const Status::Detail& detail : status.details()) {
    if (detail.key != "cause" && detail.key != "started") said.with(detail.key, detail.value);
  }
  return said;
}

}  // namespace detail

namespace {

// The wait for a unary reply.
class Reply final : Waiting, PendingCall {
 public:
  static constexpr AwaitKind awaits = AwaitKind::answer;
  // `request` and `options` outlive it; what is left of the request afterwards is as of send_request().
  Reply(Self self, NodeId node, std::string_view method, EnvelopePtr& request, const CallOptions& options,
        TimePoint deadline)
      : self_(self),
        to_(request->to),
        method_(method),
        request_(request),
        options_(options),
        deadline_(deadline) {
    callee = node;
  }
  ~Reply() { give_up(); }
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> coroutine) {
    if (!park(coroutine, deadline_)) return false;
    open_ = true;
    request_ =
        detail::send_request(self_, *this, std::string(method_), std::move(request_), options_, deadline_);
    return true;
  }
  [[nodiscard]] Result<EnvelopePtr> await_resume() {
    give_up();
    if (envelope_ == nullptr) {
      std::string method(method_);
      if (cause() == Cause::stop) return fail(Code::cancelled, "the caller of " + method + " was stopped");
      return fail(detail::deadline_status(method));
    }
    if (envelope_->kind == v1::REPLY) return std::move(envelope_);
    if (envelope_->kind == v1::END)
      return fail(Code::internal, std::string(method_) + " is a stream, but was called for one reply");
    return fail(detail::error_of(*envelope_));
  }

 private:
  [[nodiscard]] Shown shown() const noexcept override { return {self_.worker().id, method_}; }
  void answered(EnvelopePtr envelope) noexcept override {
    if (envelope->kind == v1::CREDIT || envelope->kind == v1::CANCEL) return;  // there are no items to send
    if (envelope->kind == v1::ITEM) {
      Status told = detail::tell_progress(options_, *envelope);
      if (told.ok()) return;
      give_up();
      envelope = std::make_unique<SignalEnvelope>();
      envelope->kind = v1::ERROR;
      envelope->extra().status = std::move(told);
    }
    open_ = false;
    envelope_ = std::move(envelope);
    wake(Cause::event);
  }
  // Nobody waits any more: the callee is told, and a late reply finds nothing.
  void give_up() noexcept {
    if (!open_) return;
    open_ = false;
    Home& home = self_.worker().home();
    home.remove_call(*this);
    detail::send_cancel(home, self_.address(), {callee, to_}, id, options_.flags);
  }

  Self self_;
  const WorkerId to_;  // none: the callee is a method
  const std::string_view method_;
  EnvelopePtr& request_;
  const CallOptions& options_;
  const TimePoint deadline_;
  EnvelopePtr envelope_;
  bool open_ = false;
};

}  // namespace

CallState::CallState(Self its_self, const Method& its_method, const Envelope& request)
    : self(its_self),
      method(its_method),
      caller_address(request.from),
      call(request.call),
      flags(request.flags),
      deadline(request.deadline),
      caller(request.extra().caller),
      trace(request.extra().trace),
      window_(request.extra().credit) {
  self.worker().handled = this;
}

CallState::~CallState() {
  if (!answered_) finish(Status(Code::cancelled, "the handler of " + method.name + " was ended"));
  self.worker().handled = nullptr;
  self.worker().home().handled(self.worker(), caller_address, call);
}

void CallState::send(EnvelopePtr envelope, v1::Kind kind, std::uint32_t its_flags) {
  envelope->kind = kind;
  envelope->flags = (flags & v1::HIDDEN) | its_flags;
  envelope->from = self.address();
  envelope->to = caller_address.worker;
  envelope->call = call;
  if ((trace.high | trace.low) != 0) envelope->extra().trace = trace;
  if (caller_address) self.worker().home().send(caller_address.node, std::move(envelope));
}

void CallState::reply(EnvelopePtr envelope) {
  if (answered_) return;
  answered_ = true;
  send(std::move(envelope), v1::REPLY);
}

void CallState::finish(const Status& status) {
  if (answered_) return;
  answered_ = true;
  auto envelope = std::make_unique<SignalEnvelope>();
  if (status.code() == Code::cancelled && self.node().draining()) {
    // Nobody wanted the call to end: another node may do it.
    envelope->extra().status =
        Status(Code::unavailable, "node " + self.node().name() + " stops: " + status.message());
  } else if (!status.ok()) {
    envelope->extra().status = status;
  }
  send(std::move(envelope), status.ok() ? v1::END : v1::ERROR);
}

void CallState::item(EnvelopePtr envelope) {
  if (answered_) return;
  const std::size_t size = caller_address.node == self.node().id() ? 0 : envelope->payload_size();
  if (size > limits::message_bytes_max) {
    finish(Status(Code::out_of_range, "an item of " + std::to_string(size) + " bytes is above the limit of " +
                                          std::to_string(limits::message_bytes_max)));
    return self.stop();
  }
  window_.sent(size);
  send(std::move(envelope), v1::ITEM);
}

void CallState::progress(double fraction, const std::string& note) {
  if ((flags & v1::WANTS_PROGRESS) == 0) return;
  v1::Progress progress;
  progress.set_fraction(fraction);
  progress.set_note(utf8_repaired(note));
  send(std::make_unique<TypedEnvelope<v1::Progress>>(std::move(progress)), v1::ITEM);
}

HandledCall::Shown CallState::shown() const noexcept {
  return {method.name, caller_address, caller.name, deadline};
}

bool CallState::streaming() const noexcept { return method.streaming; }

void CallState::credited(const Address& from, std::uint64_t its_call, std::uint32_t more) noexcept {
  if (from != caller_address || its_call != call || more == 0) return;
  window_.credited(more);
  if (room_ != nullptr && window_.open()) room_->credited();
}

void CallState::streamed(EnvelopePtr envelope) noexcept {
  if (envelope->from != caller_address || envelope->call != call || upstream_ == nullptr)
    return self.node().dead_letter(DeadLetter::not_allowed, *envelope);
  upstream_->came(std::move(envelope));
}

// What comes behind a hole is no stream.
void CallState::not_sent(std::uint64_t its_call, const Status& reason) noexcept {
  if (its_call != call || answered_) return;
  finish(reason);
  self.stop();
}

bool never_started(const Status& error) noexcept { return error.detail("started") == "no"; }

Task<Result<EnvelopePtr>> call_envelope(Self self, NodeId node, std::string method, EnvelopePtr request,
                                        CallOptions options) {
  if (node != NodeId::none) {
    const TimePoint deadline = detail::deadline_of(self, node, method, options);
    co_return co_await Reply(self, node, method, request, options, deadline);
  }
  ProviderSearch search(self.node(), method, options.eligible);
  Result<NodeId> chosen = search.next();
  if (!chosen) co_return fail(std::move(chosen).error());
  const TimePoint deadline = detail::deadline_of(self, *chosen, method, options);
  for (;;) {
    Result<EnvelopePtr> reply = co_await Reply(self, *chosen, method, request, options, deadline);
    if (reply || request == nullptr || !search.goes_on_after(reply.error())) co_return reply;
    chosen = search.next();
    if (!chosen) co_return reply;
  }
}

Task<Result<EnvelopePtr>> call_worker_envelope(Self self, NodeId node, EnvelopePtr request,
                                               CallOptions options) {
  if (!request->to) co_return fail(Code::invalid_argument, "an empty address: nobody to ask");
  const std::string whom = "worker " + to_string(Address{node, request->to});
  const TimePoint deadline = detail::deadline_of(self, node, {}, options);
  co_return co_await Reply(self, node, whom, request, options, deadline);
}

}  // namespace cobus
