// SPDX-License-Identifier: Apache-2.0
#include "client/cli/units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <utility>

namespace cobus::client {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// The number that `text` starts with, taken off it.
std::optional<double> take_number(std::string_view& text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

struct Parts {
  std::tm calendar{};
  int milliseconds = 0;
};

Parts parts_of(std::int64_t unix_us, bool local) {
  Parts parts;
  const std::int64_t since = unix_us >= 0 ? unix_us : 0;
  const auto whole = static_cast<std::time_t>(since / 1'000'000);
  parts.milliseconds = static_cast<int>(since / 1000 % 1000);
  if (local) {
    ::localtime_r(&whole, &parts.calendar);
  } else {
    ::gmtime_r(&whole, &parts.calendar);
  }
  return parts;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, Duration>, 8> units = {
      {{"", seconds(1)},
       {"us", std::chrono::microseconds(1)},
       {"ms", milliseconds(1)},
       {"s", seconds(1)},
       {"m", minutes(1)},
       {"min", minutes(1)},
       {"h", hours(1)},
       {"d", hours(24)}}};
  std::string_view rest = text;
  const std::optional<double> number = take_number(rest);
  if (number) {
    for (const auto& [name, unit] : units) {
      const double whole = *number * static_cast<double>(unit.count());
      if (rest == name && whole < 9e18) return Duration(static_cast<std::int64_t>(whole));
    }
  }
  return fail(Code::invalid_argument,
              fmt::format("'{}' is not a duration; write 100ms, 30s, 5m, 2h or 1d", text));
}

Result<Duration> parse_time_limit(std::string_view text) {
  if (text == "none") return Duration(-1);
  const Result<Duration> parsed = parse_duration(text);
  if (parsed && parsed->count() == 0) return Duration(-1);
  if (parsed) return parsed;
  return fail(parsed.error().code(), parsed.error().message() + ", or none");
}

Result<std::uint32_t> parse_rate(std::string_view text) {
  std::string_view rest = text;
  const std::optional<double> number = take_number(rest);
  if (number) {
    const double each_second = rest.empty() || rest == "/s" ? *number : rest == "/m" ? *number / 60 : 0;
    if (each_second >= 1 && each_second <= 1e9) return static_cast<std::uint32_t>(std::round(each_second));
  }
  return fail(Code::invalid_argument, fmt::format("'{}' is not a rate of 1/s or more; write 100/s", text));
}

std::string short_duration(Duration duration) {
  const auto ms = std::chrono::duration_cast<milliseconds>(duration).count();
  if (ms < 0) return "0s";
  if (ms < 1000) return fmt::format("{}ms", ms);
  const std::int64_t s = ms / 1000;
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return s % 60 == 0 ? fmt::format("{}m", s / 60) : fmt::format("{}m{}s", s / 60, s % 60);
  if (s < 86400)
    return s % 3600 < 60 ? fmt::format("{}h", s / 3600) : fmt::format("{}h{}m", s / 3600, s % 3600 / 60);
  return s % 86400 < 3600 ? fmt::format("{}d", s / 86400)
                          : fmt::format("{}d{}h", s / 86400, s % 86400 / 3600);
}

std::string short_count(double count) {
  if (count < 0.05) return "0";
  if (count < 9.95)
    return count == std::floor(count) ? fmt::format("{:.0f}", count) : fmt::format("{:.1f}", count);
  if (count < 999.5) return fmt::format("{:.0f}", count);
  static constexpr std::array<char, 4> units = {'k', 'M', 'G', 'T'};
  std::size_t unit = 0;
  double scaled = count / 1000;
  while (scaled >= 999.5 && unit + 1 < units.size()) {
    scaled /= 1000;
    ++unit;
  }
  return scaled < 9.95 ? fmt::format("{:.1f}{}", scaled, units[unit])
                       : fmt::format("{:.0f}{}", scaled, units[unit]);
}

std::string short_size(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  const std::string count = short_count(static_cast<double>(bytes));
  return fmt::format("{} {}B", std::string_view(count).substr(0, count.size() - 1), count.back());
}

std::string iso_time(std::int64_t unix_us) {
  const Parts parts = parts_of(unix_us, false);
  const std::tm& t = parts.calendar;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                     t.tm_hour, t.tm_min, t.tm_sec, parts.milliseconds);
}

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
  std::tm calendar{};
  int ms = 0;
  int read = 0;
  const std::string whole(text);
  if (std::sscanf(whole.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &calendar.tm_year, &calendar.tm_mon,
                  &calendar.tm_mday, &calendar.tm_hour, &calendar.tm_min, &calendar.tm_sec, &ms,
                  &read) != 7 ||
      static_cast<std::size_t>(read) != whole.size()) {
    return std::nullopt;
  }
  calendar.tm_year -= 1900;
  calendar.tm_mon -= 1;
  return static_cast<std::int64_t>(::timegm(&calendar)) * 1'000'000 + ms * 1000;
}

std::string clock_time(std::int64_t unix_us) {
  const Parts parts = parts_of(unix_us, true);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", parts.calendar.tm_hour, parts.calendar.tm_min,
                     parts.calendar.tm_sec, parts.milliseconds);
}

}  // namespace cobus::client
