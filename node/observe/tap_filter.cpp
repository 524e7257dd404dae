// SPDX-License-Identifier: Apache-2.0
#include "node/observe/tap_filter.hpp"

#include <string>

namespace cobus {
namespace {

// NODE, or NODE/WORKER.
bool is_place(const std::string& filter, const std::string& place) {
  return filter.empty() || place == filter || place.starts_with(filter + '/');
}

bool is_answer(v1::Kind kind) { return kind == v1::REPLY || kind == v1::END || kind == v1::ERROR; }

bool matches(const std::string& filter, const std::string& text) {
  return filter.empty() || text.starts_with(filter) || text.ends_with(filter);
}

}  // namespace

bool wanted(const v1::TapRequest& filter, const v1::TapRecord& record) {
  if (!is_place(filter.from(), record.from()) || !is_place(filter.to(), record.to())) return false;
  if (!matches(filter.method(), record.method()) || !matches(filter.type(), record.type())) return false;
  if (filter.errors_only() && record.code() == 0) return false;
  return filter.slow_us() == 0 || (is_answer(record.kind()) && record.latency_us() >= filter.slow_us());
}

}  // namespace cobus
