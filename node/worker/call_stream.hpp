// SPDX-License-Identifier: Apache-2.0
//
// Calls with streams, as their caller sees them: items from the callee (ItemStream), to it (Outgoing), and
// both ways (Exchange), all of them an EnvelopeStream with types. Whoever consumes gives credit, so the other
// waits when it is too fast. Each belongs to one worker; destroying it early cancels the call and frees both
// ends. The call ends at its deadline, whatever is being waited for then.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "node/runtime/await.hpp"
#include "node/runtime/list.hpp"
#include "node/worker/call.hpp"

namespace cobus {

// A call with a stream in either direction, or both, as envelopes.
class EnvelopeStream {
  class State;

 public:
  // With a null `request` the requests are a stream: what send() gives.
  EnvelopeStream(Self self, NodeId node, std::string method, EnvelopePtr request, CallOptions options);
  EnvelopeStream(EnvelopeStream&&) noexcept;
  EnvelopeStream& operator=(EnvelopeStream&&) noexcept;
  ~EnvelopeStream();

  // The next item, or the one reply; null once there will be none, then status() says how. A stop while it
  // waits cancels the call.
  [[nodiscard]] Task<EnvelopePtr> next();
  // Ok while it goes on and when the callee ended it well.
  [[nodiscard]] const Status& status() const noexcept;

  class [[nodiscard]] Send : Waiting, ListHook {
   public:
    static constexpr AwaitKind awaits = AwaitKind::credit;
    Send(EnvelopeStream& stream, EnvelopePtr item) noexcept;
    [[nodiscard]] bool await_ready();
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept;
    [[nodiscard]] Status await_resume();

   private:
    friend class EnvelopeStream;
    friend class List<Send>;
    void done(Status status) noexcept;
    State* state_;  // null once it is done
    EnvelopePtr item_;
    Status status_;
    bool settled_ = false;  // at once
  };
  // co_await waits until the callee takes one more item, and sends it; several wait in turn. Ok: it is on its
  // way. When it will not be: the status that the call ended with; FAILED_PRECONDITION when the callee takes
  // no more, has answered already, or after end(); OUT_OF_RANGE for an item that is too large for a message,
  // and the call goes on; CANCELLED when this worker is asked to stop while it waits, and so is the call.
  [[nodiscard]] Send send(EnvelopePtr item) noexcept { return {*this, std::move(item)}; }
  // No more items. Those that send() waits with still go.
  void end();
  // end(), and then the reply of a method that gives one. INTERNAL when it gave none, or gives a stream.
  [[nodiscard]] Task<Result<EnvelopePtr>> finish();

 private:
  std::unique_ptr<State> state_;
};

// The answers of a call whose callee streams them.
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

 protected:
  EnvelopeStream envelopes_;

 private:
  Status malformed_;
};

// A call whose requests are a stream and whose answer is one message:
//   auto sum = stub.Sum();
//   for (Number& number : numbers())
//     if (!(co_await sum.send(std::move(number))).ok()) break;
//   Result<Total> total = co_await sum.finish();
template <class Item, class Reply>
class [[nodiscard]] Outgoing {
 public:
  explicit Outgoing(EnvelopeStream envelopes) noexcept : envelopes_(std::move(envelopes)) {}
  // See EnvelopeStream::send. When it is not ok there is nothing more to send, but for OUT_OF_RANGE;
  // finish() has the answer all the same.
  [[nodiscard]] EnvelopeStream::Send send(Item item) {
    return envelopes_.send(std::make_unique<TypedEnvelope<Item>>(std::move(item)));
  }
  // Ends the stream and waits for the answer: that, or the status that the call ended with. Once.
  [[nodiscard]] Task<Result<Reply>> finish() {
    Result<EnvelopePtr> reply = co_await envelopes_.finish();
    if (!reply) co_return fail(std::move(reply).error());
    co_return take<Reply>(**reply);
  }

 private:
  EnvelopeStream envelopes_;
};

// A call with a stream each way, independent of each other. Send in one coroutine of the worker and read in
// another (see Scope), unless the callee is known to take all before it answers or to answer one for one:
// it waits when nobody reads, and then takes no more.
template <class Item, class Reply>
class [[nodiscard]] Exchange : public ItemStream<Reply> {
 public:
  using ItemStream<Reply>::ItemStream;
  // As above.
  [[nodiscard]] EnvelopeStream::Send send(Item item) {
    return this->envelopes_.send(std::make_unique<TypedEnvelope<Item>>(std::move(item)));
  }
  // No more items to the callee. Its own may go on.
  void end() { this->envelopes_.end(); }
};

template <class Item, class Request>
[[nodiscard]] ItemStream<Item> open_stream(Self self, NodeId node, std::string method, Request request,
                                           CallOptions options = {}) {
  EnvelopePtr envelope = std::make_unique<TypedEnvelope<Request>>(std::move(request));
  return ItemStream<Item>(
      EnvelopeStream(self, node, std::move(method), std::move(envelope), std::move(options)));
}
template <class Item, class Reply>
[[nodiscard]] Outgoing<Item, Reply> open_outgoing(Self self, NodeId node, std::string method,
                                                  CallOptions options = {}) {
  return Outgoing<Item, Reply>(EnvelopeStream(self, node, std::move(method), nullptr, std::move(options)));
}
template <class Item, class Reply>
[[nodiscard]] Exchange<Item, Reply> open_exchange(Self self, NodeId node, std::string method,
                                                  CallOptions options = {}) {
  return Exchange<Item, Reply>(EnvelopeStream(self, node, std::move(method), nullptr, std::move(options)));
}

}  // namespace cobus
