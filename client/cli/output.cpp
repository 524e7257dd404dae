// SPDX-License-Identifier: Apache-2.0
#include "client/cli/output.hpp"

#include <array>
#include <string_view>

namespace cobus::client {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 6> formats = {{{"table", Format::table},
                                                                         {"wide", Format::wide},
                                                                         {"json", Format::json},
                                                                         {"jsonl", Format::jsonl},
                                                                         {"yaml", Format::yaml},
                                                                         {"id", Format::id}}};

std::vector<OutputColumn> shown(std::vector<OutputColumn> columns, Format format) {
  if (format != Format::wide)
    std::erase_if(columns, [](const OutputColumn& column) { return column.wide_only; });
  return columns;
}

Table table_of(const std::vector<OutputColumn>& columns) {
  std::vector<TableColumn> titles;
  for (const OutputColumn& column : columns) titles.push_back({column.title, column.right, column.shrinks});
  return Table(std::move(titles));
}

std::string with_indent(const std::string& text) {
  std::string out = "  ";
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "  ";
  }
  return out;
}

}  // namespace

Result<Format> parse_format(std::string_view name) {
  for (const auto& [known, format] : formats) {
    if (name == known) return format;
  }
  return fail(
      Code::invalid_argument,
      "-o: '" + std::string(name) + "' is not a format; there are table, wide, json, jsonl, yaml and id");
}

Format format_or_default(std::optional<Format> asked, const Console& console) {
  if (asked) return *asked;
  return console.out().terminal ? Format::table : Format::jsonl;
}

ListOutput::ListOutput(Console& console, Format format, std::vector<OutputColumn> columns,
                       std::string id_field)
    : console_(console),
      format_(format),
      columns_(shown(std::move(columns), format)),
      id_field_(std::move(id_field)),
      table_(table_of(columns_)) {}

void ListOutput::add(const Json& object) {
  switch (format_) {
    case Format::table:
    case Format::wide: {
      std::vector<std::string> cells;
      for (const OutputColumn& column : columns_) cells.push_back(column.cell(object));
      table_.add(std::move(cells));
      break;
    }
    case Format::json:
      console_.write((first_ ? "[\n" : ",\n") + with_indent(indented(object)));
      break;
    case Format::jsonl:
      console_.print(one_line(object));
      break;
    case Format::yaml: {
      Json list = Json::array();
      list.push_back(object);
      console_.write(to_yaml(list));
      break;
    }
    case Format::id:
      console_.print(plain(field(object, id_field_)));
      break;
  }
  first_ = false;
}

void ListOutput::finish() {
  if (format_ == Format::json) console_.print(first_ ? "[]" : "\n]");
  if (format_ == Format::yaml && first_) console_.print("[]");
  if (format_ != Format::table && format_ != Format::wide) return;
  bool title = true;
  // Only what a person looks at is cut to the screen.
  for (const std::string& line : table_.lines(console_.out().terminal ? console_.out().columns : 0)) {
    console_.print_titled(title ? line : "", title ? "" : line);
    title = false;
  }
}

void print_object(Console& console, Format format, const Json& object, const std::string& id_field,
                  const std::vector<std::pair<std::string, std::string>>& fields) {
  if (format == Format::id) return console.print(plain(field(object, id_field)));
  if (format != Format::table && format != Format::wide) return print_value(console, format, object);
  std::size_t widest = 0;
  for (const auto& [name, text] : fields) widest = std::max(widest, name.size());
  for (const auto& [name, text] : fields) {
    if (text.empty()) continue;
    const std::string padding(widest + 2 - name.size(), ' ');
    console.print_titled(name, padding + text);
  }
}

void print_value(Console& console, Format format, const Json& value) {
  switch (format) {
    case Format::jsonl:
    case Format::id:
      return console.print(one_line(value));
    case Format::yaml:
      return console.write(to_yaml(value));
    case Format::table:
    case Format::wide:
    case Format::json:
      return console.print(indented(value));
  }
}

}  // namespace cobus::client
