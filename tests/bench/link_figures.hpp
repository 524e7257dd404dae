// SPDX-License-Identifier: Apache-2.0
//
// What the programs over links, ours and the peers', measure alike: by name how large a message is and how
// many there are, how many may be on their way, at which rate calls are made. Nothing of any system is here.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/bench/figure.hpp"

namespace cobus::bench {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

// How a sender that hears of what was received keeps messages on their way.
struct Flow {
  std::size_t size;             // bytes of a message
  std::uint64_t window;         // messages on their way
  std::uint64_t receipt_every;  // how many a receipt is for

  [[nodiscard]] std::uint64_t whole_receipts(std::uint64_t count) const {
    return (count + receipt_every - 1) / receipt_every * receipt_every;
  }
};

// Messages from one process to another, one way.
struct OneWay {
  std::string_view name;
  std::size_t size;        // bytes of a message
  std::uint64_t messages;  // without another count
  std::string_view unit;   // msg/s or MB/s

  // 8 MiB on their way, but not more messages than a mailbox takes, and at least two, so that one is written
  // while the other is read.
  [[nodiscard]] Flow flow() const {
    const auto window = std::clamp<std::uint64_t>(8 * mib / size, 2, 8'000);
    return {size, window, std::max<std::uint64_t>(window / 8, 1)};
  }
  [[nodiscard]] std::uint64_t total(std::uint64_t count) const {
    return flow().whole_receipts(count != 0 ? count : messages);
  }
};

inline constexpr std::array<OneWay, 8> one_ways = {{
    {"link_100", 100, 3'000'000, "msg/s"},
    {"link_100_curve", 100, 3'000'000, "msg/s"},
    {"link_1k", kib, 1'000'000, "msg/s"},
    {"link_1k_curve", kib, 1'000'000, "msg/s"},
    {"link_64k", 64 * kib, 50'000, "MB/s"},
    {"link_64k_curve", 64 * kib, 50'000, "MB/s"},
    {"link_1m", mib, 3'000, "MB/s"},
    {"link_64m", 64 * mib - kib, 30, "MB/s"},  // the largest message has 64 MiB, with what is around its data
}};

// Null when there is none of that name.
inline const OneWay* find_one_way(std::string_view name) {
  const auto* const found = std::ranges::find(one_ways, name, &OneWay::name);
  return found == one_ways.end() ? nullptr : found;
}

// MB/s are millions of bytes, of the messages only.
inline void print_one_way(const OneWay& what, std::uint64_t count, double seconds,
                          const std::string& conditions) {
  const double messages = static_cast<double>(count) / seconds;
  print_figure(what.unit, what.unit == "MB/s" ? messages * static_cast<double>(what.size) / 1e6 : messages,
               std::to_string(what.size) + " B a message, " + conditions);
}

// Calls there and back, one at a time or at a fixed rate.
constexpr std::size_t call_size = 100;  // each way
constexpr std::uint64_t round_trips_default = 20'000;
constexpr std::uint64_t calls_per_second = 20'000;
constexpr std::uint64_t calls_default = 5 * calls_per_second;
constexpr std::uint64_t warm_up_calls = 1'000;

// Many senders, one receiver.
constexpr std::uint64_t fan_in_senders = 50;
constexpr std::uint64_t fan_in_default = 2'000'000;  // of all of them
constexpr std::size_t fan_in_size = 100;

inline std::uint64_t fan_in_each(std::uint64_t count) {
  const std::uint64_t all = count != 0 ? count : fan_in_default;
  return (all + fan_in_senders - 1) / fan_in_senders;
}

}  // namespace cobus::bench
