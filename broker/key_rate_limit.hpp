// SPDX-License-Identifier: Apache-2.0
//
// KeyRateLimit: how often each key may do something: so many times in a window, which begins with the first
// of them. It remembers only the keys of windows that have not ended. One thread.
#pragma once

#include <cstdint>
#include <map>

#include "node/link/keys.hpp"

namespace cobus::broker {

class KeyRateLimit {
 public:
  KeyRateLimit(unsigned times, std::int64_t window_s) noexcept : times_(times), window_s_(window_s) {}

  // Counts one more for `key`; false when that is too many. `now_s` may jump: then windows begin anew.
  [[nodiscard]] bool admit(const link::CurveKey& key, std::int64_t now_s);
  [[nodiscard]] std::size_t keys() const noexcept { return windows_.size(); }

 private:
  struct Window {
    std::int64_t begun_s;
    unsigned count;
  };
  [[nodiscard]] bool is_over(const Window& window, std::int64_t now_s) const noexcept {
    return now_s < window.begun_s || now_s - window.begun_s >= window_s_;
  }

  const unsigned times_;
  const std::int64_t window_s_;
  std::map<link::CurveKey, Window> windows_;
  std::int64_t swept_s_ = 0;
};

}  // namespace cobus::broker
