// SPDX-License-Identifier: Apache-2.0
//
// TopOrder: which of two workers stands higher in `cobus ps`. The nodes choose by it, and the client puts
// together what they chose. Pure.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace cobus {

// Of a worker; `received` and `cpu_us` within the window when there is one.
struct TopFigures {
  std::uint64_t mailbox_messages = 0;
  std::uint64_t mailbox_bytes = 0;
  std::uint64_t received = 0;
  std::uint64_t cpu_us = 0;
  std::uint64_t memory_bytes = 0;
  bool ours = false;  // of a node itself: of a kind "cobus."
};
[[nodiscard]] constexpr bool kind_is_ours(std::string_view kind) noexcept {
  return kind.starts_with("cobus.");
}

// The larger the higher. Of those that have as much, a user's stand above a node's own.
using TopKey = std::array<std::uint64_t, 4>;
[[nodiscard]] constexpr TopKey top_key(v1::TopOrder order, const TopFigures& of) noexcept {
  const std::uint64_t users = of.ours ? 0 : 1;
  switch (order) {
    case v1::BY_MESSAGES:
      return {of.received, users, of.mailbox_messages, of.cpu_us};
    case v1::BY_CPU:
      return {of.cpu_us, users, of.received, of.mailbox_messages};
    case v1::BY_MEMORY:
      return {of.memory_bytes, users, of.mailbox_messages, of.received};
    default:
      return {of.mailbox_messages, users, of.mailbox_bytes, of.cpu_us};
  }
}
[[nodiscard]] inline TopKey top_key(v1::TopOrder order, const v1::WorkerRow& row, bool window) noexcept {
  return top_key(
      order, {row.mailbox_messages(), row.mailbox_bytes(), window ? row.received_in_window() : row.received(),
              window ? row.cpu_us_in_window() : row.cpu_us(), row.memory_bytes(), kind_is_ours(row.kind())});
}

}  // namespace cobus
