// SPDX-License-Identifier: Apache-2.0
#include "node/worker/call.hpp"

#include <algorithm>
#include <deque>

#include "node/worker/node.hpp"
#include "node/worker/service.hpp"
#include "proto/utf8.hpp"

namespace cobus {
namespace {

// To the handler of a call, or, with `to`, to a worker that was asked.
void send_cancel(Home& home, Address from, Address to, std::uint64_t call, std::uint32_t flags) {
  auto cancel = std::make_unique<SignalEnvelope>();
  cancel->kind = v1::CANCEL;
  cancel->flags = flags & v1::HIDDEN;
  cancel->from = from;
  cancel->to = to.worker;
  cancel->call = call;
  home.send(to.node, std::move(cancel));
}

// When a call that begins now ends at the latest.
TimePoint deadline_of(Self self, const CallOptions& options) {
  const Worker& worker = self.worker();
  const TimePoint own = deadline_after(worker.shard->clock().now(), options.timeout);
  return worker.handled == nullptr ? own : std::min(own, worker.handled->caller_gives_up());
}

// Fills in what every request has and sends it.
void send_request(Self self, PendingCall& call, std::string method, EnvelopePtr request,
                  const CallOptions& options) {
  Home& home = self.worker().home();
  home.add_call(call);
  request->kind = v1::REQUEST;
  request->flags = options.flags | (options.on_progress ? v1::WANTS_PROGRESS : 0U);
  request->from = self.address();
  request->call = call.id;
  request->deadline = deadline_of(self, options);
  if (!request->to) request->extra().to_name = std::move(method);
  request->extra().credit = options.credit;
  request->extra().trace = options.trace;
  home.send(call.callee, std::move(request));
}

Status deadline_status(const std::string& method) {
  return {Code::deadline_exceeded, method + " did not answer in time"};
}

// INTERNAL when the caller's function throws; what is no progress is ignored.
Status tell_progress(const CallOptions& options, Envelope& envelope) noexcept {
  if (!options.on_progress) return {};
  Result<v1::Progress> progress = take<v1::Progress>(envelope);
  if (!progress) return {};
  try {
    options.on_progress(*progress);
  } catch (...) {
    Status thrown = detail::exception_status();
    return {Code::internal, "on_progress: " + thrown.message()};
  }
  return {};
}

// What the runtime says of a call in the details of its error, it says to whoever made that call. A handler
// that passes on the error of another call does not say it of its own.
Status error_of(const Envelope& error) {
  const Status& status = error.extra().status;
  if (!error.from.worker) return status;
  Status said(status.code(), status.message());
  for (const Status::Detail& detail : status.details()) {
    if (detail.key != "cause" && detail.key != "started") said.with(detail.key, detail.value);
  }
  return said;
}

// The wait for a unary reply.
class Reply final : Waiting, PendingCall {
 public:
  static constexpr AwaitKind awaits = AwaitKind::answer;
  Reply(Self self, NodeId node, std::string method, EnvelopePtr request, CallOptions options)
      : self_(self), method_(std::move(method)), request_(std::move(request)), options_(std::move(options)) {
    callee = node;
    to_ = request_->to;
  }
  ~Reply() { give_up(); }
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> coroutine) {
    if (!park(coroutine, deadline_of(self_, options_))) return false;
    open_ = true;
    send_request(self_, *this, method_, std::move(request_), options_);
    return true;
  }
  [[nodiscard]] Result<EnvelopePtr> await_resume() {
    give_up();
    if (envelope_ == nullptr) {
      if (cause() == Cause::stop) return fail(Code::cancelled, "the caller of " + method_ + " was stopped");
      return fail(deadline_status(method_));
    }
    if (envelope_->kind == v1::REPLY) return std::move(envelope_);
    if (envelope_->kind == v1::END)
      return fail(Code::internal, method_ + " is a stream, but was called for one reply");
    return fail(error_of(*envelope_));
  }

 private:
  [[nodiscard]] Shown shown() const noexcept override { return {self_.worker().id, method_}; }
  void answered(EnvelopePtr envelope) noexcept override {
    if (envelope->kind == v1::ITEM) {
      Status told = tell_progress(options_, *envelope);
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
    send_cancel(home, self_.address(), {callee, to_}, id, options_.flags);
  }

  Self self_;
  WorkerId to_;  // none: the callee is a method
  std::string method_;
  EnvelopePtr request_;
  CallOptions options_;
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
      credit_(std::min(request.extra().credit, credit_max)) {
  self.worker().handled = this;
}

CallState::~CallState() {
  if (!answered_) finish(Status(Code::cancelled, "the handler of " + method.name + " was ended"));
  self.worker().handled = nullptr;
  self.worker().home().handled(self.worker(), caller_address, call);
}

void CallState::send(EnvelopePtr envelope, v1::Kind kind) {
  envelope->kind = kind;
  envelope->flags = flags & v1::HIDDEN;
  envelope->from = self.address();
  envelope->to = caller_address.worker;
  envelope->call = call;
  if ((trace.high | trace.low) != 0) envelope->extra().trace = trace;
  if (caller_address) self.worker().home().send(caller_address.node, std::move(envelope));
}

void CallState::reply(EnvelopePtr envelope) {
  answered_ = true;
  send(std::move(envelope), v1::REPLY);
}

void CallState::finish(const Status& status) {
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
  if (size > limits::payload_bytes_max) {
    finish(Status(Code::out_of_range, "an item of " + std::to_string(size) + " bytes is above the limit of " +
                                          std::to_string(limits::payload_bytes_max)));
    return self.stop();
  }
  --credit_;
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
  credit_ = std::min(credit_ + std::min(more, credit_max), credit_max);
  if (room_ != nullptr) room_->credited();
}

bool never_started(const Status& error) noexcept { return error.detail("started") == "no"; }

Task<Result<EnvelopePtr>> call_envelope(Self self, NodeId node, std::string method, EnvelopePtr request,
                                        CallOptions options) {
  if (node == NodeId::none) {
    Result<NodeId> chosen = self.node().choose(method);
    if (!chosen) co_return fail(std::move(chosen).error());
    node = *chosen;
  }
  co_return co_await Reply(self, node, std::move(method), std::move(request), std::move(options));
}

Task<Result<EnvelopePtr>> call_worker_envelope(Self self, NodeId node, EnvelopePtr request,
                                               CallOptions options) {
  if (!request->to) co_return fail(Code::invalid_argument, "an empty address: nobody to ask");
  std::string whom = "worker " + to_string(Address{node, request->to});
  co_return co_await Reply(self, node, std::move(whom), std::move(request), std::move(options));
}

// The consumer's end: items that came and were not taken yet.
class EnvelopeStream::State final : PendingCall {
 public:
  State(Self self, NodeId node, std::string method, EnvelopePtr request, CallOptions options)
      : self_(self), options_(std::move(options)) {
    if (node == NodeId::none) {
      Result<NodeId> chosen = self.node().choose(method);
      if (!chosen) {
        status_ = std::move(chosen).error();
        return;
      }
      node = *chosen;
    }
    callee = node;
    open_ = true;
    method_ = method;
    deadline_ = deadline_of(self, options_);
    send_request(self, *this, std::move(method), std::move(request), options_);
  }
  ~State() { give_up({}); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  class Next final : public Waiting {
   public:
    static constexpr AwaitKind awaits = AwaitKind::item;
    explicit Next(State& state) noexcept : state_(state) {}
    Next(const Next&) = delete;
    Next& operator=(const Next&) = delete;
    ~Next() { state_.next_ = nullptr; }
    [[nodiscard]] bool await_ready() const noexcept { return has_come() && may_go_on(); }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
      if (has_come()) {
        step_aside(coroutine);
        return true;
      }
      state_.next_ = this;
      return park(coroutine, state_.deadline_);
    }
    [[nodiscard]] EnvelopePtr await_resume() {
      if (cause() == Cause::stop) state_.give_up(Status(Code::cancelled, "the consumer was stopped"));
      if (cause() == Cause::time) state_.give_up(deadline_status(state_.method_));
      return state_.pop();
    }
    void came() noexcept { wake(Cause::event); }

   private:
    [[nodiscard]] bool has_come() const noexcept { return !state_.items_.empty() || !state_.open_; }
    State& state_;
  };
  [[nodiscard]] Next next() noexcept { return Next(*this); }
  [[nodiscard]] const Status& status() const noexcept { return status_; }

 private:
  [[nodiscard]] Shown shown() const noexcept override { return {self_.worker().id, method_}; }
  void answered(EnvelopePtr envelope) noexcept override {
    if (envelope->kind == v1::ITEM) {
      if (envelope->type == type_id_of<v1::Progress>() && options_.on_progress) {
        Status told = tell_progress(options_, *envelope);
        if (told.ok()) return;
        give_up(std::move(told));
        if (next_ != nullptr) next_->came();
        return;
      }
      producer_ = envelope->from.worker;
      items_.push_back(std::move(envelope));
    } else {
      open_ = false;
      if (envelope->kind == v1::ERROR) status_ = error_of(*envelope);
      if (envelope->kind == v1::REPLY) items_.push_back(std::move(envelope));  // a unary method: one item
    }
    if (next_ != nullptr) next_->came();
  }
  // Nobody wants more: the producer is told.
  void give_up(Status why) {
    if (!open_) return;
    open_ = false;
    status_ = std::move(why);
    self_.worker().home().remove_call(*this);
    send_cancel(self_.worker().home(), self_.address(), {callee, WorkerId{}}, id, options_.flags);
  }
  EnvelopePtr pop() {
    if (items_.empty()) return nullptr;
    EnvelopePtr item = std::move(items_.front());
    items_.pop_front();
    if (++taken_ >= std::max<std::uint32_t>(options_.credit / 2, 1) && open_ && producer_) give_credit();
    return item;
  }
  void give_credit() {
    auto credit = std::make_unique<SignalEnvelope>();
    credit->kind = v1::CREDIT;
    credit->flags = options_.flags & v1::HIDDEN;
    credit->from = self_.address();
    credit->to = producer_;
    credit->call = id;
    credit->extra().credit = std::exchange(taken_, 0);
    self_.worker().home().send(callee, std::move(credit));
  }

  Self self_;
  CallOptions options_;
  std::deque<EnvelopePtr> items_;
  Status status_;
  std::string method_;
  TimePoint deadline_ = never;
  WorkerId producer_;
  std::uint32_t taken_ = 0;
  Next* next_ = nullptr;
  bool open_ = false;
};

EnvelopeStream::EnvelopeStream(Self self, NodeId node, std::string method, EnvelopePtr request,
                               CallOptions options)
    : state_(std::make_unique<State>(self, node, std::move(method), std::move(request), std::move(options))) {
}
EnvelopeStream::EnvelopeStream(EnvelopeStream&&) noexcept = default;
EnvelopeStream& EnvelopeStream::operator=(EnvelopeStream&&) noexcept = default;
EnvelopeStream::~EnvelopeStream() = default;

Task<EnvelopePtr> EnvelopeStream::next() { co_return co_await state_->next(); }

const Status& EnvelopeStream::status() const noexcept { return state_->status(); }

}  // namespace cobus
