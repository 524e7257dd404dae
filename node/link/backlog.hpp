// SPDX-License-Identifier: Apache-2.0
//
// Backlog: how much waits at this node to go to one other, for senders that would rather wait than be
// refused. They look at it before they send; the link tells when there is some again
// (LinkEvents::on_drained). Any thread.
#pragma once

#include <atomic>
#include <cstddef>

#include "proto/limits.hpp"

namespace cobus::link {

class Backlog {
 public:
  // Whether a message may go now. It leaves half of what may wait for those who do not ask: calls, answers.
  [[nodiscard]] bool open() const noexcept { return waiting() < limits::peer_waiting_bytes_max / 2; }
  // The same; when it is not, on_drained follows once it is. Several may ask: it is told to all at once.
  [[nodiscard]] bool open_or_tell() noexcept {
    if (open()) return true;
    wanted_.store(true);
    return open();  // it may have become so meanwhile
  }
  [[nodiscard]] std::size_t waiting() const noexcept { return submitted_.load() + queued_.load(); }

  // Messages that go there in parts, of all who send some: false while those under way and one of so many
  // bytes are more than the node takes at once; else end_parts() must follow.
  [[nodiscard]] bool begin_parts(std::size_t bytes) noexcept {
    std::size_t before = in_parts_.load(std::memory_order_relaxed);
    do {
      if (before != 0 && before + bytes > limits::message_bytes_max) return false;
    } while (!in_parts_.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));
    return true;
  }
  void end_parts(std::size_t bytes) noexcept { in_parts_.fetch_sub(bytes, std::memory_order_relaxed); }

  // For the link: handed to it and not taken in yet; in the outbox and not sent yet.
  void submitted(std::size_t bytes) noexcept { submitted_.fetch_add(bytes); }
  void taken_in(std::size_t bytes) noexcept { submitted_.fetch_sub(bytes); }
  void queued(std::size_t bytes) noexcept { queued_.store(bytes); }
  // Whether somebody wants to be told, and there is plenty of room. True once.
  [[nodiscard]] bool tell() noexcept {
    return wanted_.load(std::memory_order_relaxed) && waiting() < limits::peer_waiting_bytes_max / 4 &&
           wanted_.exchange(false);
  }

 private:
  std::atomic<std::size_t> submitted_{0};
  std::atomic<std::size_t> queued_{0};
  std::atomic<std::size_t> in_parts_{0};
  std::atomic<bool> wanted_{false};
};

}  // namespace cobus::link
