// SPDX-License-Identifier: Apache-2.0
//
// Incoming: the items that a caller streams to the handler of its call, as the handler reads them. Upstream
// is the runtime's side of it: it grants the caller credit, and holds what came and was not read yet.
#pragma once

#include <optional>
#include <utility>

#include "node/runtime/stop.hpp"
#include "node/worker/call.hpp"
#include "node/worker/flow.hpp"

namespace cobus {

namespace detail {
// A message that does not name its type is taken for what the method expects.
template <class Message>
[[nodiscard]] Result<Message> take_request(Envelope& envelope) {
  if (envelope.type == TypeId::none) envelope.type = type_id_of<Message>();
  return take<Message>(envelope);
}
}  // namespace detail

// Lives in the frame of the handling worker, behind its CallState.
class Upstream final : public ItemQueue {
 public:
  // Gives the caller its first credit, which also tells it who handles the call.
  explicit Upstream(CallState& call);
  ~Upstream();

  // ITEM or END of the caller. An ITEM without credit ends the call with RESOURCE_EXHAUSTED.
  void came(EnvelopePtr envelope) noexcept;
  // The handler reads no more: the caller is told to send no more, and what waits is freed.
  void close() noexcept { leave({}); }
  // An item was malformed: ends the call with `why`.
  void refuse(Status why) noexcept;

 private:
  struct OnStop : StopCallback {
    explicit OnStop(Upstream& of) noexcept
        : StopCallback([](StopCallback& stop) { static_cast<OnStop&>(stop).upstream.stopped(); }),
          upstream(of) {}
    Upstream& upstream;
  };
  void give_credit(std::uint32_t more) override;
  void leave(Status why) override;
  void stopped() noexcept;

  CallState& call_;
  OnStop on_stop_{*this};
  bool closed_ = false;  // by this side: what is on its way is expected
};

// Move only; valid inside the handler. Destroying it early tells the caller that no more is wanted and
// frees what waits.
template <class Item>
class [[nodiscard]] Incoming {
 public:
  explicit Incoming(Upstream& upstream) noexcept : upstream_(&upstream) {}
  Incoming(Incoming&& other) noexcept : upstream_(std::exchange(other.upstream_, nullptr)) {}
  Incoming& operator=(Incoming&& other) noexcept {
    if (this != &other) {
      close();
      upstream_ = std::exchange(other.upstream_, nullptr);
    }
    return *this;
  }
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;
  ~Incoming() { close(); }

  class [[nodiscard]] Next : ItemQueue::Next {
   public:
    explicit Next(Upstream& upstream) noexcept : ItemQueue::Next(upstream), upstream_(upstream) {}
    using ItemQueue::Next::await_ready;
    using ItemQueue::Next::await_suspend;
    [[nodiscard]] std::optional<Item> await_resume() {
      const EnvelopePtr envelope = ItemQueue::Next::await_resume();
      if (envelope == nullptr) return std::nullopt;
      Result<Item> item = detail::take_request<Item>(*envelope);
      if (item) return std::move(*item);
      upstream_.refuse(std::move(item).error());
      return std::nullopt;
    }

   private:
    Upstream& upstream_;
  };
  // co_await gives the next item; nothing at the end, then status() says how. One next() at a time.
  [[nodiscard]] Next next() noexcept { return Next(*upstream_); }
  // Ok while it goes on and when the caller ended it. CANCELLED: the caller left, or its node was lost, or
  // this one stops. INVALID_ARGUMENT: an item was malformed; the caller has been told.
  [[nodiscard]] const Status& status() const noexcept { return upstream_->status(); }

 private:
  void close() noexcept {
    if (upstream_ != nullptr) upstream_->close();
  }
  Upstream* upstream_;
};

}  // namespace cobus
