// SPDX-License-Identifier: Apache-2.0
//
// SelfDoubt: how far this node trusts its own judgement that others are silent. A link loop that comes back
// late has most likely not heard what there was to hear, so before it takes others for dead it doubts itself:
// for each beat that it was late they may be silent for as long again, up to four times as long; each three
// seconds in time take one of those off (Lifeguard's local health multiplier). Owned by LinkMachine, under
// its lock. It reads no clock: the caller passes `now`.
#pragma once

#include <algorithm>

#include "node/runtime/clock.hpp"
#include "proto/limits.hpp"

namespace cobus::link {

class SelfDoubt {
 public:
  // The loop came back at `now`, later than it should have by at least a beat.
  void came_late(TimePoint now, Duration by) noexcept {
    pass(now);
    level_ = std::min<Duration::rep>(level_ + by / limits::beat_interval, limits::doubt_max);
    if (level_ > 0) eases_at_ = now + limits::doubt_eases_after;
  }
  // Time went by.
  void pass(TimePoint now) noexcept {
    for (; level_ > 0 && eases_at_ <= now; eases_at_ += limits::doubt_eases_after) --level_;
  }
  // When pass() will change something; `never` without doubt.
  [[nodiscard]] TimePoint next_change() const noexcept { return level_ == 0 ? never : eases_at_; }
  // How long to wait for others where it is `usual` without doubt.
  [[nodiscard]] Duration patience(Duration usual) const noexcept { return usual * (1 + level_); }

 private:
  Duration::rep level_ = 0;
  TimePoint eases_at_{};
};

}  // namespace cobus::link
