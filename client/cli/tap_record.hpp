// SPDX-License-Identifier: Apache-2.0
//
// How a tapped message is shown: its JSON, as scripts rely on it, and its line in a table for a person.
#pragma once

#include <cobus/v1/observe.pb.h>

#include <optional>
#include <string>
#include <vector>

#include "client/cli/json.hpp"

namespace cobus::client {

// `body` is nothing unless payloads are shown.
[[nodiscard]] Json tap_json(const v1::TapRecord& record, const std::optional<Json>& body);

// A table that goes on: a column is as wide as the widest cell so far. Nothing in it can drive the terminal.
class TapTable {
 public:
  // `wide`: types and traces too.
  explicit TapTable(bool wide);
  [[nodiscard]] std::string titles() const;
  // The body stands behind the last column.
  [[nodiscard]] std::string line(const v1::TapRecord& record, const std::optional<Json>& body);

 private:
  [[nodiscard]] std::string laid_out(const std::vector<std::string>& cells) const;

  const bool wide_;
  std::vector<std::size_t> widths_;
};

// The place of `count` records that the node left out.
[[nodiscard]] Json dropped_json(std::uint64_t count);
[[nodiscard]] std::string dropped_line(std::uint64_t count);

}  // namespace cobus::client
