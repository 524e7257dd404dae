// SPDX-License-Identifier: Apache-2.0
#include "proto/status.hpp"

#include <array>

namespace cobus {

std::string_view code_name(Code code) noexcept {
  static constexpr std::array<std::string_view, 17> names = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto index = static_cast<std::size_t>(static_cast<std::int32_t>(code));
  return index < names.size() ? names[index] : names[2];
}

const Status::Failure& Status::parts() const noexcept {
  static const Failure none;
  return failure_ == nullptr ? none : *failure_;
}

std::string_view Status::detail(std::string_view key) const noexcept {
  for (const Detail& detail : details()) {
    if (detail.key == key) return detail.value;
  }
  return {};
}

std::string Status::to_string() const {
  std::string text(code_name(code()));
  if (!message().empty()) text.append(": ").append(message());
  return text;
}

}  // namespace cobus
