// SPDX-License-Identifier: Apache-2.0
//
// Table: rows of cells laid out in columns for a person. Columns are as wide as their cells; where the
// screen is narrower, the columns that may shrink give way. Pure: text in, lines out.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace cobus::client {

struct TableColumn {
  std::string title;
  bool right = false;    // numbers
  bool shrinks = false;  // cut off when the screen is too narrow
};

class Table {
 public:
  explicit Table(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}

  // One cell a column; control characters in them are replaced.
  void add(std::vector<std::string> cells);
  [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }

  // Header and rows, each at most `width` columns wide if the columns that shrink allow it (0: any
  // width). No blanks at the end of a line.
  [[nodiscard]] std::vector<std::string> lines(std::size_t width) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths(std::size_t width) const;
  [[nodiscard]] std::string line(const std::vector<std::string>& cells,
                                 const std::vector<std::size_t>& widths) const;

  std::vector<TableColumn> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cobus::client
