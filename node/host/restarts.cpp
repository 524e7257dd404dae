// SPDX-License-Identifier: Apache-2.0
#include "node/host/restarts.hpp"

#include <algorithm>
#include <utility>

namespace cobus::host {

void Restarts::started(TimePoint now) noexcept {
  runs_ = true;
  started_at_ = now;
}

Restarts::Verdict Restarts::ended(const std::string& cause, TimePoint now) {
  const bool was_sound = std::exchange(runs_, false) && now - started_at_ >= sound_after;
  if (was_sound) wait_ = restart_wait_first;
  Verdict verdict;
  verdict.wait = wait_ / 2 + random_.jitter(wait_ / 2);
  wait_ = std::min(wait_ * 2, restart_wait_most);
  // Also the same end as before, when it ran well in between.
  verdict.say = reminder_.due(cause, now) || was_sound;
  if (verdict.say) {
    verdict.unsaid = std::exchange(unsaid_, 0);
  } else {
    ++unsaid_;
  }
  return verdict;
}

}  // namespace cobus::host
