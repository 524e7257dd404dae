// SPDX-License-Identifier: Apache-2.0
//
// Output: how objects and lists of them become lines of stdout, as -o says. JSON fields are what scripts
// rely on; tables are for people and may change. Lists are streamed where the format allows it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/console.hpp"
#include "client/cli/json.hpp"
#include "client/cli/table.hpp"
#include "proto/status.hpp"

namespace cobus::client {

enum class Format : unsigned char { table, wide, json, jsonl, yaml, id };

// INVALID_ARGUMENT naming the formats there are.
[[nodiscard]] Result<Format> parse_format(std::string_view name);

// What -o says, else a table on a terminal and JSON on one line otherwise.
[[nodiscard]] Format format_or_default(std::optional<Format> asked, const Console& console);

struct OutputColumn {
  std::string title;
  std::function<std::string(const Json&)> cell;  // of one object
  bool right = false;
  bool shrinks = false;
  bool wide_only = false;
};

// A list of objects. One thread.
class ListOutput {
 public:
  // `id_field` is what -o id prints.
  ListOutput(Console& console, Format format, std::vector<OutputColumn> columns, std::string id_field);
  void add(const Json& object);
  // Prints what was kept back: the whole table, the end of a JSON array.
  void finish();

 private:
  Console& console_;
  const Format format_;
  std::vector<OutputColumn> columns_;
  const std::string id_field_;
  Table table_;
  bool first_ = true;
};

// One object. `fields` are its lines in a table, name and text; empty texts are left out.
void print_object(Console& console, Format format, const Json& object, const std::string& id_field,
                  const std::vector<std::pair<std::string, std::string>>& fields);

// A value without fields of its own, such as a result: indented where people look, else on one line.
void print_value(Console& console, Format format, const Json& value);

}  // namespace cobus::client
