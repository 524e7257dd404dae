// SPDX-License-Identifier: Apache-2.0
#include "proto/well_known.hpp"

#include <sodium.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace cobus {
namespace {

constexpr std::int32_t nanos_per_second = 1'000'000'000;
constexpr std::int64_t timestamp_seconds_min = -62'135'596'800;  // 0001-01-01T00:00:00Z
constexpr std::int64_t timestamp_seconds_max = 253'402'300'799;  // 9999-12-31T23:59:59Z
constexpr std::int64_t duration_seconds_max = 315'576'000'000;
constexpr std::size_t nano_digits = 9;
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// ".120", with three, six or nine digits; "" for none.
std::string fraction_text(std::int32_t nanos) {
  if (nanos == 0) return {};
  std::string digits = std::to_string(nanos_per_second + nanos).substr(1);
  while (digits.ends_with("000")) digits.resize(digits.size() - 3);
  return "." + digits;
}

// Takes `count` digits off the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  int value = 0;
  if (text.size() < count) return std::nullopt;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// What stands behind a '.', as nanoseconds; 0 when there is no '.'.
std::optional<std::int32_t> take_fraction(std::string_view& text) {
  if (!take(text, '.')) return 0;
  const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
  if (count == 0 || count > nano_digits) return std::nullopt;
  std::string digits(text.substr(0, count));
  digits.append(nano_digits - count, '0');
  text.remove_prefix(count);
  std::int32_t nanos = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), nanos);
  return nanos;
}

// "Z" or "+01:00", which ends the text, in seconds.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (take(text, 'Z')) return text.empty() ? std::optional<std::int64_t>(0) : std::nullopt;
  const bool west = text.starts_with('-');
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59 || !text.empty()) return std::nullopt;
  const std::int64_t seconds = (*hours * 60 + *minutes) * 60;
  return west ? -seconds : seconds;
}

}  // namespace

std::optional<std::string> timestamp_text(SecondsAndNanos time) {
  if (time.seconds < timestamp_seconds_min || time.seconds > timestamp_seconds_max || time.nanos < 0 ||
      time.nanos >= nanos_per_second)
    return std::nullopt;
  const std::chrono::sys_seconds at{std::chrono::seconds(time.seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(at - day);
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", int{date.year()}, unsigned{date.month()},
                unsigned{date.day()}, static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return text + fraction_text(time.nanos) + "Z";
}

std::optional<SecondsAndNanos> parse_timestamp(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take(text, 'T')) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *second > 59) return std::nullopt;
  const auto nanos = take_fraction(text);
  const auto offset = nanos ? take_offset(text) : std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!offset || !date.ok()) return std::nullopt;
  const std::chrono::sys_seconds midnight = std::chrono::sys_days(date);
  const std::int64_t seconds =
      midnight.time_since_epoch().count() + (*hour * 60 + *minute) * 60 + *second - *offset;
  if (seconds < timestamp_seconds_min || seconds > timestamp_seconds_max) return std::nullopt;
  return SecondsAndNanos{seconds, *nanos};
}

std::optional<std::string> duration_text(SecondsAndNanos duration) {
  const auto [seconds, nanos] = duration;
  if (seconds < -duration_seconds_max || seconds > duration_seconds_max || nanos <= -nanos_per_second ||
      nanos >= nanos_per_second || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0))
    return std::nullopt;
  const bool negative = seconds < 0 || nanos < 0;
  return (negative ? "-" : "") + std::to_string(negative ? -seconds : seconds) +
         fraction_text(negative ? -nanos : nanos) + "s";
}

std::optional<SecondsAndNanos> parse_duration(std::string_view text) {
  const bool negative = take(text, '-');
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || text.starts_with('-') || seconds > duration_seconds_max) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  const auto nanos = take_fraction(text);
  if (!nanos || text != "s") return std::nullopt;
  return negative ? SecondsAndNanos{-seconds, -*nanos} : SecondsAndNanos{seconds, *nanos};
}

std::optional<std::string> mask_path_text(std::string_view path) {
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (std::isupper(static_cast<unsigned char>(path[i])) != 0) return std::nullopt;
    if (path[i] != '_') {
      text += path[i];
      continue;
    }
    if (++i == path.size() || std::islower(static_cast<unsigned char>(path[i])) == 0) return std::nullopt;
    text += static_cast<char>(std::toupper(static_cast<unsigned char>(path[i])));
  }
  if (text.empty() || text.find(',') != std::string::npos) return std::nullopt;
  return text;
}

std::optional<std::string> parse_mask_path(std::string_view text) {
  std::string path;
  for (const char c : text) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isalnum(letter) == 0 && c != '.') return std::nullopt;
    if (std::isupper(letter) != 0) path += '_';
    path += static_cast<char>(std::tolower(letter));
  }
  if (path.empty()) return std::nullopt;
  return path;
}

std::string base64_text(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // the 0 at its end
  return text;
}

std::optional<std::string> parse_base64(std::string_view text) {
  std::size_t padding = 0;
  for (; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  if (padding > 0 && (text.size() + padding) % 4 != 0) return std::nullopt;
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::size_t value = base64_digits.find(c == '-' ? '+' : c == '_' ? '/' : c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>((bits >> held) & 0xff);
  }
  return bytes;
}

}  // namespace cobus
