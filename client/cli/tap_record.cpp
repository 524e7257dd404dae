// SPDX-License-Identifier: Apache-2.0
#include "client/cli/tap_record.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "client/cli/terminal.hpp"
#include "client/cli/units.hpp"
#include "proto/status.hpp"

namespace cobus::client {
namespace {

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

std::string tap_line(const v1::TapRecord& record, const std::optional<Json>& body) {
  std::string line = fmt::format("{}  {} → {}  {:<7}", clock_time(record.time_us()), record.from(),
                                 record.to(), kind_name(record.kind()));
  for (const std::string& part :
       {record.method(), record.type(), record.size() > 0 ? short_size(record.size()) : "",
        latency_text(record.latency_us())}) {
    if (!part.empty()) line += "  " + part;
  }
  if (record.code() != 0) line += fmt::format("  {}: {}", code_name(Code{record.code()}), record.message());
  if (body) line += "  " + one_line(*body);
  return printable(line);
}

Json dropped_json(std::uint64_t count) { return {{"dropped", count}}; }

std::string dropped_line(std::uint64_t count) {
  return fmt::format("              ... {} records were not shown: filter, or raise --rate", count);
}

}  // namespace cobus::client
