// SPDX-License-Identifier: Apache-2.0
#include "client/cli/tap_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "client/cli/terminal.hpp"
#include "client/cli/units.hpp"
#include "proto/status.hpp"

namespace cobus::client {
namespace {

struct Column {
  const char* title;
  std::size_t narrowest;
  bool right = false;
  bool wide_only = false;
  bool grows = true;  // with its cells
};

constexpr std::array<Column, 10> columns = {{{"TIME", 12},
                                             {"KIND", 7},
                                             {"FROM", 14},
                                             {"TO", 14},
                                             {"METHOD", 20},
                                             {"SIZE", 7, true},
                                             {"LATENCY", 7, true},
                                             {"TYPE", 20, false, true},
                                             {"TRACE", 32, false, true},
                                             {"STATUS", 6, false, false, false}}};

std::string kind_name(v1::Kind kind) {
  std::string name = v1::Kind_IsValid(kind) ? v1::Kind_Name(kind) : "unknown";
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::string trace_id(const v1::TapRecord& record) {
  if (!record.has_trace()) return {};
  return fmt::format("{:016x}{:016x}", record.trace().trace_high(), record.trace().trace_low());
}

std::string latency_text(std::uint64_t latency_us) {
  if (latency_us == 0) return {};
  if (latency_us < 1000) return fmt::format("{}us", latency_us);
  if (latency_us < 100'000) return fmt::format("{:.1f}ms", static_cast<double>(latency_us) / 1000);
  return short_duration(std::chrono::microseconds(latency_us));
}

}  // namespace

Json tap_json(const v1::TapRecord& record, const std::optional<Json>& body) {
  Json json;
  json["time"] = iso_time(record.time_us());
  json["kind"] = kind_name(record.kind());
  json["from"] = record.from();
  json["to"] = record.to();
  json["type"] = record.type();
  json["method"] = record.method();
  json["size"] = record.size();
  json["trace"] = trace_id(record);
  json["latency_us"] = record.latency_us();
  json["status"] = code_name(Code{record.code()});
  if (body) json["body"] = *body;
  if (!record.message().empty()) json["message"] = record.message();
  json["call"] = std::to_string(record.call());
  json["at"] = record.at();
  return json;
}

TapTable::TapTable(bool wide) : wide_(wide) {
  for (const Column& column : columns) widths_.push_back(column.narrowest);
}

std::string TapTable::laid_out(const std::vector<std::string>& cells) const {
  std::string line;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].wide_only && !wide_) continue;
    const std::string padding(widths_[i] - std::min(widths_[i], display_width(cells[i])), ' ');
    line += (line.empty() ? "" : "  ") + (columns[i].right ? padding + cells[i] : cells[i] + padding);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string TapTable::titles() const {
  std::vector<std::string> cells;
  for (const Column& column : columns) cells.emplace_back(column.title);
  return laid_out(cells);
}

std::string TapTable::line(const v1::TapRecord& record, const std::optional<Json>& body) {
  std::string status = record.code() == 0 ? "" : std::string(code_name(Code{record.code()}));
  if (!record.message().empty()) status += ": " + record.message();
  std::vector<std::string> cells = {clock_time(record.time_us()),
                                    kind_name(record.kind()),
                                    record.from(),
                                    record.to(),
                                    record.method().empty() ? record.type() : record.method(),
                                    record.size() > 0 ? short_size(record.size()) : "",
                                    latency_text(record.latency_us()),
                                    record.type(),
                                    trace_id(record),
                                    status};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    cells[i] = printable(cells[i]);
    if (columns[i].grows) widths_[i] = std::max(widths_[i], display_width(cells[i]));
  }
  const std::string line = laid_out(cells);
  return body ? line + "  " + printable(one_line(*body)) : line;
}

Json dropped_json(std::uint64_t count) { return {{"dropped", count}}; }

std::string dropped_line(std::uint64_t count) {
  return fmt::format("              ... {} records were not shown: filter, or raise --rate", count);
}

}  // namespace cobus::client
