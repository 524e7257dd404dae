// SPDX-License-Identifier: Apache-2.0
#include "node/worker/call_stream.hpp"

#include <utility>

#include "node/worker/flow.hpp"
#include "node/worker/node.hpp"
#include "node/worker/provider_search.hpp"

namespace cobus {

// The caller's end: items that came and were not taken yet, and what waits to be sent.
class EnvelopeStream::State final : public ItemQueue, PendingCall {
 public:
  State(Self self, NodeId node, std::string method, EnvelopePtr request, CallOptions options);
  ~State() { leave(Status(Code::cancelled, "the caller left")); }

  // Gives up what is sent too: nobody wants the answer.
  void leave(Status why) override {
    if (!open_) return;
    self_.worker().home().remove_call(*this);
    detail::send_cancel(self_.worker().home(), self_.address(), {callee, WorkerId{}}, id, options_.flags);
    over(std::move(why));
  }

  // What send() says at once; nothing when the item has to wait.
  [[nodiscard]] std::optional<Status> try_send(EnvelopePtr& item);
  void wait_to_send(Send& send) noexcept { senders_.push_back(send); }
  void end_sending() {
    if (!sends_) return;
    sends_ = false;
    end_when_sent();
  }

 private:
  struct OnDeadline : Timer {
    explicit OnDeadline(State& of) noexcept
        : Timer([](Timer& timer) {
            State& state = static_cast<OnDeadline&>(timer).state;
            state.leave(detail::deadline_status(state.method_));
          }),
          state(of) {}
    State& state;
  };

  [[nodiscard]] Shown shown() const noexcept override { return {self_.worker().id, method_}; }
  void answered(EnvelopePtr envelope) noexcept override;
  void item(EnvelopePtr envelope) noexcept;
  void credited(const Envelope& credit) noexcept;
  void takes_no_more() noexcept;
  // Whether the call goes to another node now, instead of ending with `error`.
  [[nodiscard]] bool goes_elsewhere(const Status& error);
  void send_to(NodeId node);
  void over(Status how, EnvelopePtr last = nullptr);
  void give_credit(std::uint32_t more) override;
  void send_up(EnvelopePtr envelope, v1::Kind kind);
  void end_when_sent();
  [[nodiscard]] Status refusal() const;
  // That leave this node.
  [[nodiscard]] std::size_t bytes_of(const Envelope& item) const {
    return callee == self_.node().id() ? 0 : item.payload_size();
  }

  Self self_;
  CallOptions options_;
  std::string method_;
  std::optional<ProviderSearch> search_;  // of a call to no node in particular
  EnvelopePtr request_;                   // while it may be sent again
  TimePoint deadline_at_ = never;
  WorkerId handler_;  // once it has said anything
  List<Send> senders_;
  OnDeadline deadline_{*this};
  SendWindow window_{0};  // until the callee has given credit
  bool open_ = false;     // the call goes on
  bool sends_ = false;    // there may be more items to send
  bool refused_ = false;  // the callee takes no more
  bool end_due_ = false;  // END was not sent yet
};

EnvelopeStream::State::State(Self self, NodeId node, std::string method, EnvelopePtr request,
                             CallOptions options)
    : ItemQueue(options.credit), self_(self), options_(std::move(options)), method_(std::move(method)) {
  if (node == NodeId::none) {
    search_.emplace(self.node(), method_, options_.eligible);
    Result<NodeId> chosen = search_->next();
    if (!chosen) {
      end(std::move(chosen).error());
      return;
    }
    node = *chosen;
  }
  open_ = true;
  if (request == nullptr) {
    request = std::make_unique<SignalEnvelope>();
    options_.flags |= v1::UPSTREAM;
    sends_ = end_due_ = true;
  }
  options_.credit = window();
  deadline_at_ = detail::deadline_of(self, node, method_, options_);
  self.worker().shard->timers().start(deadline_, deadline_at_);
  request_ = std::move(request);
  send_to(node);
}

void EnvelopeStream::State::send_to(NodeId node) {
  callee = node;
  request_ = detail::send_request(self_, *this, method_, std::move(request_), options_, deadline_at_);
  if (!search_) request_.reset();
}

bool EnvelopeStream::State::goes_elsewhere(const Status& error) {
  // Once the handler gave or took an item, another one would give or take it again.
  if (!search_ || request_ == nullptr || handler_ || !search_->goes_on_after(error)) return false;
  const Result<NodeId> next = search_->next();
  if (!next) return false;
  send_to(*next);
  return true;
}

void EnvelopeStream::State::answered(EnvelopePtr envelope) noexcept {
  switch (envelope->kind) {
    case v1::ITEM:
      return item(std::move(envelope));
    case v1::CREDIT:
      return credited(*envelope);
    case v1::CANCEL:
      return takes_no_more();
    case v1::REPLY:
      return over({}, std::move(envelope));  // of a method that gives one: the last item
    default:
      if (envelope->kind == v1::ERROR && goes_elsewhere(detail::error_of(*envelope))) return;
      // What could not be sent is answered by this node, and the handler does not know.
      if (envelope->kind == v1::ERROR && !envelope->from.worker && handler_)
        detail::send_cancel(self_.worker().home(), self_.address(), {callee, WorkerId{}}, id, options_.flags);
      return over(detail::error_of(*envelope));
  }
}

void EnvelopeStream::State::item(EnvelopePtr envelope) noexcept {
  if (envelope->type == type_id_of<v1::Progress>() && options_.on_progress) {
    if (Status told = detail::tell_progress(options_, *envelope); !told.ok()) leave(std::move(told));
    return;
  }
  handler_ = envelope->from.worker;
  request_.reset();
  // The callee's node has too much here.
  if (const Status& refused = std::as_const(*envelope).extra().status; !refused.ok()) return leave(refused);
  if (!push(std::move(envelope)))
    leave(Status(Code::resource_exhausted, method_ + " sent more items than it was given credit for"));
}

void EnvelopeStream::State::credited(const Envelope& credit) noexcept {
  if (!credit.from.worker || (handler_ && handler_ != credit.from.worker)) return;
  handler_ = credit.from.worker;
  window_.credited(credit.extra().credit);
  while (window_.open() && !senders_.empty()) {
    Send& first = *senders_.pop_front();
    window_.sent(bytes_of(*first.item_));
    send_up(std::move(first.item_), v1::ITEM);
    first.done({});
  }
  end_when_sent();
}

void EnvelopeStream::State::takes_no_more() noexcept {
  refused_ = true;
  end_due_ = false;
  while (Send* waiting = senders_.pop_front()) waiting->done(refusal());
}

void EnvelopeStream::State::over(Status how, EnvelopePtr last) {
  open_ = false;
  deadline_.cancel();
  end(std::move(how), std::move(last));
  while (Send* waiting = senders_.pop_front()) waiting->done(refusal());
}

Status EnvelopeStream::State::refusal() const {
  if (!open_ && !status().ok()) return status();
  if (!open_) return {Code::failed_precondition, method_ + " has answered already and takes no more items"};
  if (refused_) return {Code::failed_precondition, method_ + " takes no more items"};
  return {Code::failed_precondition, "the items for " + method_ + " were ended, or it takes none"};
}

std::optional<Status> EnvelopeStream::State::try_send(EnvelopePtr& item) {
  if (!open_ || refused_ || !sends_) return refusal();
  const std::size_t size = bytes_of(*item);
  if (size > limits::message_bytes_max) {
    return Status(Code::out_of_range, "an item of " + std::to_string(size) + " bytes is above the limit of " +
                                          std::to_string(limits::message_bytes_max));
  }
  if (!window_.open() || !senders_.empty()) return std::nullopt;
  window_.sent(size);
  send_up(std::move(item), v1::ITEM);
  return Status();
}

void EnvelopeStream::State::end_when_sent() {
  if (!open_ || sends_ || !end_due_ || !handler_ || !senders_.empty()) return;
  end_due_ = false;
  send_up(std::make_unique<SignalEnvelope>(), v1::END);
}

void EnvelopeStream::State::give_credit(std::uint32_t more) {
  auto credit = std::make_unique<SignalEnvelope>();
  credit->kind = v1::CREDIT;
  credit->flags = options_.flags & v1::HIDDEN;
  credit->from = self_.address();
  credit->to = handler_;
  credit->call = id;
  credit->extra().credit = more;
  self_.worker().home().send(callee, std::move(credit));
}

void EnvelopeStream::State::send_up(EnvelopePtr envelope, v1::Kind kind) {
  envelope->kind = kind;
  envelope->flags = (options_.flags & v1::HIDDEN) | v1::UPSTREAM;
  envelope->from = self_.address();
  envelope->to = handler_;
  envelope->call = id;
  self_.worker().home().send(callee, std::move(envelope));
}

EnvelopeStream::Send::Send(EnvelopeStream& stream, EnvelopePtr item) noexcept
    : state_(stream.state_.get()), item_(std::move(item)) {}

bool EnvelopeStream::Send::await_ready() {
  std::optional<Status> said = state_->try_send(item_);
  if (!said) return false;
  status_ = std::move(*said);
  settled_ = true;
  return may_go_on();
}

bool EnvelopeStream::Send::await_suspend(std::coroutine_handle<> coroutine) noexcept {
  if (settled_) {
    step_aside(coroutine);
    return true;
  }
  if (!park(coroutine, never)) return false;
  state_->wait_to_send(*this);
  return true;
}

Status EnvelopeStream::Send::await_resume() {
  unlink();
  if (cause() != Cause::stop) return std::move(status_);
  Status stopped(Code::cancelled, "the caller was stopped");
  if (state_ != nullptr) state_->leave(stopped);
  return stopped;
}

void EnvelopeStream::Send::done(Status status) noexcept {
  state_ = nullptr;
  status_ = std::move(status);
  wake(Cause::event);
}

EnvelopeStream::EnvelopeStream(Self self, NodeId node, std::string method, EnvelopePtr request,
                               CallOptions options)
    : state_(std::make_unique<State>(self, node, std::move(method), std::move(request), std::move(options))) {
}
EnvelopeStream::EnvelopeStream(EnvelopeStream&&) noexcept = default;
EnvelopeStream& EnvelopeStream::operator=(EnvelopeStream&&) noexcept = default;
EnvelopeStream::~EnvelopeStream() = default;

Task<EnvelopePtr> EnvelopeStream::next() { co_return co_await state_->next(); }

const Status& EnvelopeStream::status() const noexcept { return state_->status(); }

void EnvelopeStream::end() { state_->end_sending(); }

Task<Result<EnvelopePtr>> EnvelopeStream::finish() {
  State* const state = state_.get();
  state->end_sending();
  EnvelopePtr reply = co_await state->next();
  if (reply != nullptr && reply->kind == v1::REPLY) co_return std::move(reply);
  if (reply != nullptr) state->leave(Status(Code::internal, "it is a stream, but was called for one reply"));
  if (!state->status().ok()) co_return fail(state->status());
  co_return fail(Code::internal, "the call ended without a reply, or it was taken already");
}

}  // namespace cobus
