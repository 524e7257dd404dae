// SPDX-License-Identifier: Apache-2.0
//
// TopOrder: which of two workers stands higher in `cobus ps`. The nodes choose by it, and the client puts
// together what they chose. Pure.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include <array>
#include <cstdint>

namespace cobus {

// Of a worker; `received` and `cpu_us` within the window when there is one.
struct TopFigures {
  std::uint64_t mailbox_messages = 0;
  std::uint64_t mailbox_bytes = 0;
  std::uint64_t received = 0;
  std::uint64_t cpu_us = 0;
  std::uint64_t memory_bytes = 0;
};

// The larger the higher.
using TopKey = std::array<std::uint64_t, 3>;
[[nodiscard]] constexpr TopKey top_key(v1::TopOrder order, const TopFigures& of) noexcept {
  switch (order) {
    case v1::BY_MESSAGES:
      return {of.received, of.mailbox_messages, of.cpu_us};
    case v1::BY_CPU:
      return {of.cpu_us, of.received, of.mailbox_messages};
    case v1::BY_MEMORY:
      return {of.memory_bytes, of.mailbox_messages, of.received};
    default:
      return {of.mailbox_messages, of.mailbox_bytes, of.received};
  }
}
[[nodiscard]] inline TopKey top_key(v1::TopOrder order, const v1::WorkerRow& row, bool window) noexcept {
  return top_key(
      order, {row.mailbox_messages(), row.mailbox_bytes(), window ? row.received_in_window() : row.received(),
              window ? row.cpu_us_in_window() : row.cpu_us(), row.memory_bytes()});
}

}  // namespace cobus
