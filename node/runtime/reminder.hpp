// SPDX-License-Identifier: Apache-2.0
//
// Reminder: when to say a thing that is true again and again: at once when it is new, then now and then,
// so that a log neither fills with it nor keeps silent. Plain value; one thread.
#pragma once

#include <string>

#include "node/runtime/clock.hpp"

namespace cobus {

class Reminder {
 public:
  explicit Reminder(Duration interval) noexcept : interval_(interval) {}

  // Whether to say `text` at `now`; counts as said then.
  [[nodiscard]] bool due(const std::string& text, TimePoint now) {
    if (said_ && text == text_ && now - at_ < interval_) return false;
    said_ = true;
    text_ = text;
    at_ = now;
    return true;
  }

 private:
  const Duration interval_;
  bool said_ = false;
  std::string text_;
  TimePoint at_{};
};

}  // namespace cobus
