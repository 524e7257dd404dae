// SPDX-License-Identifier: Apache-2.0
//
// Channel: a bounded queue between coroutines of one worker, or of several workers of one shard; not for
// threads. Any number may send and receive; each item reaches one receiver, in the order of sending.
//   while (Result<Row> row = co_await rows.receive()) store(*row);
// Memory for its capacity is allocated once; sending and receiving allocate nothing.
#pragma once

#include <algorithm>
#include <coroutine>
#include <optional>
#include <utility>
#include <vector>

#include "node/runtime/await.hpp"
#include "node/runtime/list.hpp"
#include "proto/status.hpp"

namespace cobus {

template <class T>
class Channel {
 public:
  class [[nodiscard]] Send : ListHook, Waiting {
   public:
    static constexpr AwaitKind awaits = AwaitKind::channel;
    Send(Channel& channel, T item, Duration timeout)
        : channel_(channel), item_(std::move(item)), timeout_(timeout) {}
    [[nodiscard]] bool await_ready() noexcept {
      sent_ = channel_.try_send(std::move(item_));
      return (sent_ || channel_.closed_) && may_go_on();
    }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
      if (sent_ || channel_.closed_) {
        step_aside(coroutine);
        return true;
      }
      if (!park_for(coroutine, timeout_)) return false;
      channel_.senders_.push_back(*this);
      return true;
    }
    [[nodiscard]] Status await_resume() {
      unlink();
      if (sent_) return {};
      if (cause() == Cause::stop) return {Code::cancelled, "stopped while it waited for room in a channel"};
      if (cause() == Cause::time) return {Code::deadline_exceeded, "no room in the channel in time"};
      return {Code::failed_precondition, "the channel is closed"};
    }

   private:
    friend class Channel;
    friend class List<Send>;
    Channel& channel_;
    T item_;
    Duration timeout_;
    bool sent_ = false;
  };

  class [[nodiscard]] Receive : ListHook, Waiting {
   public:
    static constexpr AwaitKind awaits = AwaitKind::channel;
    Receive(Channel& channel, Duration timeout) noexcept : channel_(channel), timeout_(timeout) {}
    ~Receive() {
      if (claims()) channel_.give_up(*this);
    }
    [[nodiscard]] bool await_ready() const noexcept {
      return (channel_.unclaimed() > 0 || channel_.closed_) && may_go_on();
    }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
      if (channel_.unclaimed() > 0 || channel_.closed_) {
        if (channel_.unclaimed() > 0) channel_.claim(*this);
        step_aside(coroutine);
        return true;
      }
      if (!park_for(coroutine, timeout_)) return false;
      channel_.receivers_.push_back(*this);
      return true;
    }
    [[nodiscard]] Result<T> await_resume() {
      if (claims()) {
        channel_.unclaim(*this);
        return channel_.take();
      }
      unlink();
      if (cause() == Cause::none && channel_.unclaimed() > 0) return channel_.take();
      if (cause() == Cause::stop) return fail(Code::cancelled, "stopped while it waited for an item");
      if (cause() == Cause::time) return fail(Code::deadline_exceeded, "no item came in time");
      return fail(Code::out_of_range, "the channel is closed and empty");
    }

   private:
    friend class Channel;
    friend class List<Receive>;
    // Woken for an item that it has not taken yet, in a channel that still exists.
    [[nodiscard]] bool claims() const noexcept { return claiming_ && linked(); }
    Channel& channel_;
    Duration timeout_;
    bool claiming_ = false;
  };

  // 0 counts as 1.
  explicit Channel(std::size_t capacity) : slots_(std::max<std::size_t>(capacity, 1)) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Ok once the item is in the channel: at once when there is room, else when those that waited before have
  // had theirs. FAILED_PRECONDITION when it is closed, also meanwhile; DEADLINE_EXCEEDED after `timeout`
  // (negative: none); CANCELLED as soon as the worker is asked to stop. The item is gone with every error.
  [[nodiscard]] Send send(T item, Duration timeout = Duration(-1)) {
    return {*this, std::move(item), timeout};
  }
  // False, leaving `item` as it is, when there is no room or the channel is closed.
  [[nodiscard]] bool try_send(T&& item) {
    if (closed_ || size_ == slots_.size()) return false;
    push(std::move(item));
    offer();
    return true;
  }

  // The oldest item: at once when there is one, else when one comes. OUT_OF_RANGE once it is closed and
  // empty; DEADLINE_EXCEEDED after `timeout` (negative: none); CANCELLED as soon as the worker is asked to
  // stop. A receiver whose frame is destroyed after it was woken leaves its item to the next.
  [[nodiscard]] Receive receive(Duration timeout = Duration(-1)) noexcept { return {*this, timeout}; }
  // Nothing when there is no item that nobody was woken for.
  [[nodiscard]] std::optional<T> try_receive() {
    if (unclaimed() == 0) return std::nullopt;
    return take();
  }

  // Takes no more items, and wakes everybody who waits; what is in the channel can still be received, what
  // waits for room is refused.
  void close() noexcept {
    closed_ = true;
    while (Send* sender = senders_.pop_front()) sender->wake(Send::Cause::event);
    while (Receive* receiver = receivers_.pop_front()) receiver->wake(Receive::Cause::event);
  }
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return slots_.size(); }

 private:
  [[nodiscard]] std::size_t unclaimed() const noexcept { return size_ - claimed_; }
  void push(T&& item) {
    const std::size_t last = first_ + size_;
    slots_[last < slots_.size() ? last : last - slots_.size()].emplace(std::move(item));
    ++size_;
  }
  T take() {
    T item = std::move(*slots_[first_]);
    slots_[first_].reset();
    if (++first_ == slots_.size()) first_ = 0;
    --size_;
    while (size_ < slots_.size() && !senders_.empty()) admit(*senders_.pop_front());
    offer();
    return item;
  }
  void admit(Send& sender) {
    if (sender.cause() != Send::Cause::none) return;  // it gave up and is about to hear it
    push(std::move(sender.item_));
    sender.sent_ = true;
    sender.wake(Send::Cause::event);
  }
  // Wakes a receiver for each item that none was woken for.
  void offer() noexcept {
    while (unclaimed() > 0 && !receivers_.empty()) {
      Receive& receiver = *receivers_.pop_front();
      if (receiver.cause() != Receive::Cause::none) continue;  // as above
      claim(receiver);
      receiver.wake(Receive::Cause::event);
    }
  }
  void claim(Receive& receiver) noexcept {
    receiver.claiming_ = true;
    claims_.push_back(receiver);
    ++claimed_;
  }
  void unclaim(Receive& receiver) noexcept {
    receiver.unlink();
    --claimed_;
  }
  void give_up(Receive& receiver) noexcept {
    unclaim(receiver);
    offer();
  }

  std::vector<std::optional<T>> slots_;  // a ring
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::size_t claimed_ = 0;  // receivers in claims_
  bool closed_ = false;
  List<Send> senders_;
  List<Receive> receivers_;
  List<Receive> claims_;
};

}  // namespace cobus
