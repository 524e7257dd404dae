// SPDX-License-Identifier: Apache-2.0
//
// Addresses of nodes and workers. A node id is chosen anew at each start, so an address from an
// earlier life of a node is dead and stays dead. Plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "proto/status.hpp"

namespace cobus {

// 64 random bits, never 0 for a real node.
enum class NodeId : std::uint64_t { none = 0 };

// Slot (lower 32 bits: shard in the top 8 of them, index below) and generation (upper 32 bits).
// The generation of a live worker is never 0, so 0 is no worker.
struct WorkerId {
  std::uint64_t value = 0;

  static constexpr WorkerId make(std::uint32_t shard, std::uint32_t index,
                                 std::uint32_t generation) noexcept {
    return WorkerId{(std::uint64_t{generation} << 32) | (std::uint64_t{shard} << 24) | index};
  }
  [[nodiscard]] constexpr std::uint32_t shard() const noexcept {
    return static_cast<std::uint32_t>(value >> 24) & 0xff;
  }
  [[nodiscard]] constexpr std::uint32_t index() const noexcept {
    return static_cast<std::uint32_t>(value) & 0xffffff;
  }
  [[nodiscard]] constexpr std::uint32_t generation() const noexcept {
    return static_cast<std::uint32_t>(value >> 32);
  }
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return value != 0; }
  friend constexpr auto operator<=>(WorkerId, WorkerId) = default;
};

struct Address {
  NodeId node = NodeId::none;
  WorkerId worker;
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return worker.value != 0; }
  friend constexpr auto operator<=>(const Address&, const Address&) = default;
};

// "3f0c8a5512be9d01": 16 lower-case hexadecimal digits.
[[nodiscard]] std::string to_string(NodeId node);
// "SHARD.INDEX.GENERATION": "1.42.7".
[[nodiscard]] std::string to_string(WorkerId worker);
// "3f0c8a5512be9d01/1.42.7"
[[nodiscard]] std::string to_string(const Address& address);

// The inverses. INVALID_ARGUMENT for any other text.
[[nodiscard]] Result<NodeId> parse_node_id(std::string_view text);
[[nodiscard]] Result<WorkerId> parse_worker_id(std::string_view text);
[[nodiscard]] Result<Address> parse_address(std::string_view text);

}  // namespace cobus

template <>
struct std::hash<cobus::WorkerId> {
  std::size_t operator()(cobus::WorkerId worker) const noexcept {
    return std::hash<std::uint64_t>{}(worker.value);
  }
};
template <>
struct std::hash<cobus::Address> {
  std::size_t operator()(const cobus::Address& address) const noexcept {
    return std::hash<std::uint64_t>{}(address.worker.value * 0x9e3779b97f4a7c15ULL ^
                                      static_cast<std::uint64_t>(address.node));
  }
};
