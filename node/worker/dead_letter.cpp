// SPDX-License-Identifier: Apache-2.0
#include "node/worker/dead_letter.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <string>

#include "proto/limits.hpp"
#include "proto/log_text.hpp"

namespace cobus {
namespace {

std::string receiver_of(Address to, std::string_view name) {
  if (!to && !name.empty())
    return fmt::format("'{}' at {}", log_text(name, limits::name_bytes_max), to_string(to.node));
  return to_string(to);
}

}  // namespace

std::string_view dead_letter_name(DeadLetter why) noexcept {
  switch (why) {
    case DeadLetter::no_such_worker:
      return "no such worker";
    case DeadLetter::no_such_name:
      return "no such name";
    case DeadLetter::mailbox_full:
      return "mailbox full";
    case DeadLetter::not_delivered:
      return "not delivered";
    case DeadLetter::unacknowledged:
      return "unacknowledged";
    case DeadLetter::late:
      return "late";
    case DeadLetter::unknown_kind:
      return "unknown kind";
    case DeadLetter::not_allowed:
      return "not allowed";
    case DeadLetter::unread:
      return "unread";
    case DeadLetter::malformed:
      return "malformed";
    case DeadLetter::refused:
      return "refused";
    case DeadLetter::unsent:
      return "unsent";
    case DeadLetter::no_memory:
      return "no memory";
  }
  return "";
}

std::uint64_t DeadLetters::total() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& count : counts_) sum += count.load(std::memory_order_relaxed);
  return sum;
}

void DeadLetters::add(DeadLetter why, NodeId here, Address from, Address to, std::string_view to_name,
                      const std::function<std::string()>& type, TimePoint now) noexcept {
  counts_[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  std::uint64_t untold = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (now - second_ >= std::chrono::seconds(1)) {
      second_ = now;
      told_ = 0;
    }
    if (++told_ > told_per_second) {
      ++untold_;
      return;
    }
    untold = std::exchange(untold_, 0);
  }
  // A late answer is ordinary: its call ended at its deadline, and its caller was told so.
  const auto level = why == DeadLetter::late ? spdlog::level::debug : spdlog::level::warn;
  try {
    spdlog::log(level, "dead letter at {}: {}; from {} to {}, {}{}", to_string(here), dead_letter_name(why),
                to_string(from), receiver_of(to, to_name), type(),
                untold == 0 ? std::string() : fmt::format(" ({} more before it)", untold));
  } catch (...) {  // NOLINT(bugprone-empty-catch): no memory to say so; it is counted
  }
}

}  // namespace cobus
