// SPDX-License-Identifier: Apache-2.0
//
// Arguments: the words of a command line, sorted by the flag or place they belong to. The parser has
// checked every value against the command table, so the typed readers below cannot fail. Plain value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/runtime/clock.hpp"

namespace cobus::client {

class Arguments {
 public:
  // `name` is that of a flag ("timeout") or of a place ("METHOD").
  [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
  // The last value given, or an empty text.
  [[nodiscard]] const std::string& text(std::string_view name) const;
  // The same; nothing when none was given.
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view name) const {
    return has(name) ? std::optional<std::string>(text(name)) : std::nullopt;
  }
  [[nodiscard]] const std::vector<std::string>& list(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> number(std::string_view name) const;
  [[nodiscard]] std::optional<Duration> duration(std::string_view name) const;
  // A negative one: no limit of time.
  [[nodiscard]] std::optional<Duration> time_limit(std::string_view name) const;
  [[nodiscard]] std::optional<std::uint32_t> rate(std::string_view name) const;
  // KEY=VALUE of each value; later ones win.
  [[nodiscard]] std::map<std::string, std::string> pairs(std::string_view name) const;

  void set(const std::string& name, std::vector<std::string> values) { values_[name] = std::move(values); }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace cobus::client
