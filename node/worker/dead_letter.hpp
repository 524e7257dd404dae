// SPDX-License-Identifier: Apache-2.0
//
// Dead letters: messages that reached nobody, each with a reason. They are counted by reason, and told
// to the log at a limited rate with sender, receiver and type. Any thread. What somebody is told of who waits
// for it is none: a call that ends with an error, a stream whose other end left. Nor are signals of the
// runtime that come too late (credit, cancel, the end of a monitor).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "node/runtime/clock.hpp"
#include "proto/address.hpp"

namespace cobus {

class Envelope;

enum class DeadLetter : std::uint8_t {
  no_such_worker,  // it has ended, or never was
  no_such_name,    // nobody is registered under that name
  mailbox_full,    // dropped by the mailbox's policy
  not_delivered,   // the link could not take it to its node
  unacknowledged,  // its node was lost before it had confirmed it: it may have arrived
  late,            // an answer or an item of a call that has ended
  unknown_kind,    // from a newer release
  not_allowed,     // its sender may not send that there
  unread,          // its receiver ended before it came to it
  malformed,       // its bytes are not of its type
  refused,         // a request that names nobody to tell why
  unsent,          // its sender did not wait for room, or ended while it waited
  no_memory,
};
inline constexpr std::size_t dead_letter_reasons = 13;
// "no such worker"
[[nodiscard]] std::string_view dead_letter_name(DeadLetter why) noexcept;

class DeadLetters {
 public:
  // Counts it, and writes it to the log unless there were too many this second. `type` says what it was, and
  // is asked only then.
  void add(DeadLetter why, NodeId here, Address from, Address to, std::string_view to_name,
           const std::function<std::string()>& type, TimePoint now) noexcept;
  [[nodiscard]] std::uint64_t count(DeadLetter why) const noexcept {
    return counts_[static_cast<std::size_t>(why)].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t total() const noexcept;

 private:
  static constexpr unsigned told_per_second = 5;
  std::array<std::atomic<std::uint64_t>, dead_letter_reasons> counts_{};
  std::mutex mutex_;
  // guarded by mutex_
  TimePoint second_{};
  unsigned told_ = 0;
  std::uint64_t untold_ = 0;
};

}  // namespace cobus
