// SPDX-License-Identifier: Apache-2.0
#include "client/cli/arguments.hpp"

#include <charconv>

#include "client/cli/units.hpp"
#include "node/runtime/check.hpp"

namespace cobus::client {

const std::vector<std::string>& Arguments::list(std::string_view name) const {
  static const std::vector<std::string> none;
  const auto found = values_.find(name);
  return found == values_.end() ? none : found->second;
}

const std::string& Arguments::text(std::string_view name) const {
  static const std::string none;
  const auto& values = list(name);
  return values.empty() ? none : values.back();
}

std::optional<std::int64_t> Arguments::number(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  const std::string& value = text(name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  COBUS_CHECK(error == std::errc() && end == value.data() + value.size());
  return number;
}

std::optional<Duration> Arguments::duration(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  const Result<Duration> parsed = parse_duration(text(name));
  COBUS_CHECK(parsed.has_value());
  return *parsed;
}

std::optional<Duration> Arguments::time_limit(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  const Result<Duration> parsed = parse_time_limit(text(name));
  COBUS_CHECK(parsed.has_value());
  return *parsed;
}

std::optional<std::uint32_t> Arguments::rate(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  const Result<std::uint32_t> parsed = parse_rate(text(name));
  COBUS_CHECK(parsed.has_value());
  return *parsed;
}

std::map<std::string, std::string> Arguments::pairs(std::string_view name) const {
  std::map<std::string, std::string> pairs;
  for (const std::string& value : list(name)) {
    const std::size_t equals = value.find('=');
    COBUS_CHECK(equals != std::string::npos);
    pairs[value.substr(0, equals)] = value.substr(equals + 1);
  }
  return pairs;
}

}  // namespace cobus::client
