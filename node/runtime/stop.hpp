// SPDX-License-Identifier: Apache-2.0
//
// StopSource: asks whatever waits in one worker to end early. Waiting operations register a callback
// in an intrusive list, so asking costs nothing until it happens and nothing is allocated. Belongs
// to one worker and is used on its shard only.
#pragma once

#include "node/runtime/list.hpp"

namespace cobus {

// Embedded in an operation that waits. Runs at most once, then it is unlinked.
class StopCallback : public ListHook {
 public:
  using Stop = void (*)(StopCallback&);
  explicit StopCallback(Stop stop) noexcept : stop_(stop) {}

 private:
  friend class StopSource;
  Stop stop_;
};

class StopSource {
 public:
  [[nodiscard]] bool requested() const noexcept { return requested_; }
  // Runs every callback that is registered, in the order of registration. Once.
  void request() noexcept {
    if (requested_) return;
    requested_ = true;
    while (StopCallback* callback = callbacks_.pop_front()) callback->stop_(*callback);
  }
  // Not after request(): look at requested() first.
  void add(StopCallback& callback) noexcept { callbacks_.push_back(callback); }

 private:
  List<StopCallback> callbacks_;
  bool requested_ = false;
};

}  // namespace cobus
