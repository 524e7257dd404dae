// SPDX-License-Identifier: Apache-2.0
//
// Flow: both ends of a stream of items, whichever way it goes in a call. SendWindow: what the producer may
// send. ItemQueue: what came to the consumer and was not taken yet, never more than the producer was given
// credit for; derived from by what knows the other side. Each is used on the shard of its worker.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "node/runtime/await.hpp"
#include "node/worker/envelope.hpp"
#include "proto/limits.hpp"

namespace cobus {

// One CREDIT gives as much at most, and no producer saves up more.
inline constexpr std::uint32_t credit_max = 0xffff;

class SendWindow {
 public:
  explicit SendWindow(std::uint32_t credit) noexcept : credit_(std::min(credit, credit_max)) {}
  // Whether one more item may go now.
  [[nodiscard]] bool open() const noexcept { return credit_ > 0 && bytes_ < limits::stream_bytes_max; }
  // An item went. Of one that stays in this node no bytes count.
  void sent(std::size_t bytes) {
    --credit_;
    bytes_ += bytes;
    on_their_way_.push_back(static_cast<std::uint32_t>(bytes));
  }
  // Room for so many more, the oldest having been taken.
  void credited(std::uint32_t more) noexcept {
    more = std::min(more, credit_max);
    credit_ = std::min(credit_ + more, credit_max);
    for (; more > 0 && oldest_ < on_their_way_.size(); --more) bytes_ -= on_their_way_[oldest_++];
    if (oldest_ == on_their_way_.size() || oldest_ >= credit_max) {
      on_their_way_.erase(on_their_way_.begin(),
                          on_their_way_.begin() + static_cast<std::ptrdiff_t>(oldest_));
      oldest_ = 0;
    }
  }

 private:
  std::uint32_t credit_;
  std::size_t bytes_ = 0;                    // of what is on its way
  std::vector<std::uint32_t> on_their_way_;  // the size of each; nothing is allocated for a call without
  std::size_t oldest_ = 0;                   // in it
};

class ItemQueue {
 public:
  ItemQueue(const ItemQueue&) = delete;
  ItemQueue& operator=(const ItemQueue&) = delete;

  // The wait for an item; one at a time. Null once there will be none, then status() says why. A stop of
  // whoever waits leaves the stream.
  class [[nodiscard]] Next : Waiting {
   public:
    static constexpr AwaitKind awaits = AwaitKind::item;
    explicit Next(ItemQueue& queue) noexcept : queue_(&queue) {}
    Next(const Next&) = delete;
    Next& operator=(const Next&) = delete;
    ~Next() {
      if (queue_ != nullptr && queue_->next_ == this) queue_->next_ = nullptr;
    }
    [[nodiscard]] bool await_ready() const noexcept { return has_come() && may_go_on(); }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
      queue_->next_ = this;  // also a queue that goes tells it so
      if (has_come()) {
        step_aside(coroutine);
        return true;
      }
      return park(coroutine, never);
    }
    [[nodiscard]] EnvelopePtr await_resume() {
      if (queue_ == nullptr) return nullptr;
      if (cause() == Cause::stop) queue_->leave(Status(Code::cancelled, "the consumer was stopped"));
      return queue_->take();
    }

   private:
    friend class ItemQueue;
    [[nodiscard]] bool has_come() const noexcept { return !queue_->items_.empty() || queue_->ended_; }
    void came() noexcept { wake(Cause::event); }
    ItemQueue* queue_;  // null: it is gone
  };
  [[nodiscard]] Next next() noexcept { return Next(*this); }
  // Ok while it goes on and after an ordinary end.
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }

 protected:
  // The producer may send `window` items before it is given more.
  explicit ItemQueue(std::uint32_t window) noexcept
      : window_(std::clamp<std::uint32_t>(window, 1, credit_max)), allowed_(window_) {}
  ~ItemQueue() {
    if (next_ != nullptr) next_->queue_ = nullptr;
  }

  // Tells the producer that there is room for more.
  virtual void give_credit(std::uint32_t more) = 0;
  // Tells it that nobody wants more, and ends the queue with `why`.
  virtual void leave(Status why) = 0;

  // False, and `item` is dropped, when it was sent without credit, or with more bytes than may be on their
  // way.
  [[nodiscard]] bool push(EnvelopePtr item) {
    if (allowed_ == 0 || bytes_ >= limits::stream_bytes_max) return false;
    --allowed_;
    bytes_ += item->held_bytes();
    items_.push_back(std::move(item));
    wake();
    return true;
  }
  // No more items will come, behind those that wait and `last`. The first end counts.
  void end(Status how, EnvelopePtr last = nullptr) {
    if (ended_) return;
    ended_ = true;
    status_ = std::move(how);
    if (last != nullptr) items_.push_back(std::move(last));
    wake();
  }
  // The same at once: what waits is freed. `how` counts unless an error ended it before.
  void abandon(Status how) {
    items_.clear();
    bytes_ = 0;
    ended_ = true;
    if (status_.ok()) status_ = std::move(how);
    wake();
  }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] std::uint32_t window() const noexcept { return window_; }

 private:
  void wake() noexcept {
    if (next_ != nullptr) next_->came();
  }
  EnvelopePtr take() {
    if (items_.empty()) return nullptr;
    EnvelopePtr item = std::move(items_.front());
    items_.pop_front();
    ++taken_;
    taken_bytes_ += item->held_bytes();
    bytes_ -= std::min<std::size_t>(bytes_, item->held_bytes());
    if (ended_ ||
        (taken_ < std::max<std::uint32_t>(window_ / 2, 1) && taken_bytes_ < limits::stream_credit_bytes))
      return item;
    allowed_ += taken_;
    taken_bytes_ = 0;
    give_credit(std::exchange(taken_, 0));
    return item;
  }

  std::deque<EnvelopePtr> items_;
  Status status_;
  Next* next_ = nullptr;
  const std::uint32_t window_;
  std::uint32_t allowed_;    // items that the producer may still send
  std::uint32_t taken_ = 0;  // since credit was given last
  std::size_t taken_bytes_ = 0;
  std::size_t bytes_ = 0;  // of what waits and came encoded
  bool ended_ = false;
};

}  // namespace cobus
