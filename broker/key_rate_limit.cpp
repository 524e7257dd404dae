// SPDX-License-Identifier: Apache-2.0
#include "broker/key_rate_limit.hpp"

namespace cobus::broker {

bool KeyRateLimit::admit(const link::CurveKey& key, std::int64_t now_s) {
  if (is_over({swept_s_, 0}, now_s)) {
    std::erase_if(windows_, [&](const auto& each) { return is_over(each.second, now_s); });
    swept_s_ = now_s;
  }
  Window& window = windows_.try_emplace(key, Window{now_s, 0}).first->second;
  if (is_over(window, now_s)) window = {now_s, 0};
  if (window.count >= times_) return false;
  ++window.count;
  return true;
}

}  // namespace cobus::broker
