// SPDX-License-Identifier: Apache-2.0
//
// Mailbox: the messages that wait for one worker, in order of arrival, bounded in count and bytes.
// What the runtime itself has to say (DOWN, EXIT) is queued among them but never refused. Counting is
// O(1). Used on the worker's shard only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "node/worker/envelope.hpp"
#include "proto/limits.hpp"

namespace cobus {

// What becomes of a message that finds no room.
enum class Overflow : std::uint8_t {
  reject,  // senders are told: try_send says RESOURCE_EXHAUSTED, co_await send waits. What is on its way from
           // other shards and nodes meanwhile is taken beyond the bounds; far beyond them it is dropped, of
           // another node what is more than it may have here
  drop_newest,  // it is dropped
  drop_oldest,  // the message that waited longest is dropped for it
  end_worker,   // the worker ends with the reason `overload`
};

struct MailboxLimits {
  std::uint32_t messages = limits::mailbox_messages_max;
  std::uint32_t bytes = limits::mailbox_bytes_max;
  Overflow overflow = Overflow::reject;
};
inline constexpr MailboxLimits mailbox_defaults;

class Mailbox {
 public:
  Mailbox() noexcept = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox();

  [[nodiscard]] bool has_room_for(Envelope& envelope) const noexcept {
    static_cast<void>(envelope.weigh());
    return count_ < limits_->messages && std::uint64_t{bytes_} + cost(envelope) <= limits_->bytes;
  }
  // Whether it would have room if nothing else waited.
  [[nodiscard]] bool could_hold(Envelope& envelope) const noexcept {
    static_cast<void>(envelope.weigh());
    return limits_->messages > 0 && cost(envelope) <= limits_->bytes;
  }
  // Whether it may be taken beyond the bounds, as what was on its way when they were reached. `charged`: it
  // is on the account of the node that it came from, which bounds it.
  [[nodiscard]] bool may_overshoot(Envelope& envelope, bool charged) const noexcept {
    static_cast<void>(envelope.weigh());
    constexpr std::uint64_t countable = UINT32_MAX;
    const std::uint64_t most = std::uint64_t{limits_->bytes} + limits::mailbox_overshoot_bytes_max;
    return std::uint64_t{bytes_} + cost(envelope) <= (charged ? countable : std::min(most, countable));
  }
  // Whether those elsewhere who were told that it is full may send again.
  [[nodiscard]] bool half_empty() const noexcept {
    return count_ <= limits_->messages / 2 && bytes_ <= limits_->bytes / 2;
  }
  // Whatever the bounds are: look at has_room_for() first, unless it is the runtime's own.
  void push(EnvelopePtr envelope) noexcept;
  // For what was taken out, or handed over past it, and not used after all: back to where it belongs by its
  // arrival.
  void put_back(EnvelopePtr envelope) noexcept;
  // Takes out the first envelope that `wanted` accepts; null when there is none.
  template <class Wanted>
  [[nodiscard]] EnvelopePtr take_first(Wanted&& wanted) noexcept {
    Envelope* before = nullptr;
    for (Envelope* at = first_; at != nullptr; before = at, at = at->next_in_mailbox_) {
      if (wanted(*at)) return take(before, at);
    }
    return nullptr;
  }
  [[nodiscard]] EnvelopePtr take_any() noexcept {
    return first_ != nullptr ? take(nullptr, first_) : nullptr;
  }

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] const MailboxLimits& limits() const noexcept { return *limits_; }
  // `limits` must outlive the mailbox. What waits already stays.
  void use(const MailboxLimits& limits) noexcept { limits_ = &limits; }

 private:
  static std::uint32_t cost(const Envelope& envelope) noexcept {
    return static_cast<std::uint32_t>(sizeof(Envelope)) + envelope.held_bytes();
  }
  EnvelopePtr take(Envelope* before, Envelope* taken) noexcept {
    (before == nullptr ? first_ : before->next_in_mailbox_) = taken->next_in_mailbox_;
    if (last_ == taken) last_ = before;
    --count_;
    bytes_ -= cost(*taken);
    return EnvelopePtr(taken);
  }

  Envelope* first_ = nullptr;
  Envelope* last_ = nullptr;
  const MailboxLimits* limits_ = &mailbox_defaults;
  std::uint32_t count_ = 0;
  std::uint32_t bytes_ = 0;
};

}  // namespace cobus
