// SPDX-License-Identifier: Apache-2.0
//
// RefusalLog: says who was turned away, with the fingerprint of the key, one line a second at most: whoever
// knocks again and again must not fill the log. Used by one thread at a time, under the link's lock.
#pragma once

#include <optional>
#include <string_view>

#include "node/link/keys.hpp"
#include "node/runtime/clock.hpp"

namespace cobus::link {

class RefusalLog {
 public:
  explicit RefusalLog(const Clock& clock) : clock_(clock) {}

  // "refused WHAT (key abcdefghijkl): REASON". No key: none was proved.
  void say(std::string_view what, const std::optional<CurveKey>& key, std::string_view reason);

 private:
  const Clock& clock_;
  TimePoint again_at_{};
  std::uint64_t unsaid_ = 0;
};

}  // namespace cobus::link
