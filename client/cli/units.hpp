// SPDX-License-Identifier: Apache-2.0
//
// Units: how people write durations and rates on a command line, and how durations, counts, sizes and
// times are shown to them. Pure functions; they read no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "node/runtime/clock.hpp"
#include "proto/status.hpp"

namespace cobus::client {

// "100ms", "1.5s", "30s", "5m", "2h", "1d"; a bare number is seconds. INVALID_ARGUMENT for anything else,
// negative ones included.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);

// The same as a limit of time: "0" and "none" are none, which is a negative duration.
[[nodiscard]] Result<Duration> parse_time_limit(std::string_view text);

// "100/s", "600/m" or a bare number a second; one a second or more. INVALID_ARGUMENT otherwise.
[[nodiscard]] Result<std::uint32_t> parse_rate(std::string_view text);

// For tables and bars: "35ms", "12s", "3m20s", "5h12m", "4d3h".
[[nodiscard]] std::string short_duration(Duration duration);

// "18", "1.2k", "48k", "3.0M".
[[nodiscard]] std::string short_count(double count);

// "212 B", "4.1 kB", "1.3 MB".
[[nodiscard]] std::string short_size(std::uint64_t bytes);

// "2026-03-01T08:15:30.042Z" of Unix microseconds.
[[nodiscard]] std::string iso_time(std::int64_t unix_us);

// The inverse; nothing for any other text.
[[nodiscard]] std::optional<std::int64_t> parse_iso_time(std::string_view text);

// "08:15:30.042" in local time, for lines that follow one another.
[[nodiscard]] std::string clock_time(std::int64_t unix_us);

}  // namespace cobus::client
