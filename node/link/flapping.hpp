// SPDX-License-Identifier: Apache-2.0
//
// Flapping: whether somebody is lost again and again. Each loss is a penalty of one, which halves every two
// minutes, as routers damp routes that flap (RFC 2439): a third loss within a minute, or a fourth within
// four, makes one unsteady, until the penalty is down to one; that takes three minutes most often, four at
// most. A single outage, of any length, is never more than a penalty of one. It reads no clock; whoever has
// one guards it.
#pragma once

#include <algorithm>
#include <cmath>

#include "node/runtime/clock.hpp"

namespace cobus::link {

class Flapping {
 public:
  static constexpr Duration half_life = std::chrono::minutes(2);
  static constexpr double unsteady_from = 2.5;
  static constexpr double steady_again_at = 1.0;
  static constexpr double penalty_max = 4.0;

  // It was lost. True when it has become unsteady by that.
  bool lost(TimePoint now) noexcept {
    const bool before = unsteady(now);
    penalty_ = std::min(penalty(now) + 1.0, penalty_max);
    at_ = now;
    unsteady_ = before || penalty_ >= unsteady_from;
    return unsteady_ && !before;
  }
  [[nodiscard]] bool unsteady(TimePoint now) const noexcept {
    return unsteady_ && penalty(now) > steady_again_at;
  }
  // How long it stays so when nothing more happens.
  [[nodiscard]] Duration steady_after(TimePoint now) const noexcept {
    if (!unsteady(now)) return Duration(0);
    return std::chrono::duration_cast<Duration>(std::log2(penalty(now) / steady_again_at) *
                                                std::chrono::duration<double>(half_life));
  }
  // Nothing is left of it that counts.
  [[nodiscard]] bool forgotten(TimePoint now) const noexcept { return penalty(now) < 0.1; }

 private:
  [[nodiscard]] double penalty(TimePoint now) const noexcept {
    return penalty_ *
           std::exp2(-std::chrono::duration<double>(now - at_) / std::chrono::duration<double>(half_life));
  }
  double penalty_ = 0;
  TimePoint at_{};
  bool unsteady_ = false;
};

}  // namespace cobus::link
