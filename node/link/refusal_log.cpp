// SPDX-License-Identifier: Apache-2.0
#include "node/link/refusal_log.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <string>
#include <utility>

namespace cobus::link {
namespace {

constexpr std::chrono::seconds interval{1};

}  // namespace

void RefusalLog::say(std::string_view what, const std::optional<CurveKey>& key, std::string_view reason) {
  const TimePoint now = clock_.now();
  if (now < again_at_) {
    ++unsaid_;
    return;
  }
  again_at_ = now + interval;
  const std::uint64_t more = std::exchange(unsaid_, 0);
  spdlog::warn("refused {} ({}): {}{}", what, key ? "key " + short_fingerprint(*key) : "no key", reason,
               more == 0 ? std::string() : "; " + std::to_string(more) + " more since the last such line");
}

}  // namespace cobus::link
