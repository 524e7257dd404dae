// SPDX-License-Identifier: Apache-2.0
//
// SupervisorFace: what a supervisor shows of itself to whoever looks inside: its strategy, its bound on
// restarts, and how often it had to act. A worker's bonds point to it while it supervises. Its shard only.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "node/runtime/clock.hpp"
#include "proto/address.hpp"

namespace cobus {

class SupervisorFace {
 public:
  struct Shown {
    std::string_view strategy;  // static storage
    unsigned intensity = 0;
    Duration period{};
    std::uint64_t restarts = 0;  // since it started, each end of a child that was answered by one
  };
  struct ShownChild {
    std::string_view id;  // lives as long as the child
    Address address;      // empty: it does not run
    std::uint64_t restarts = 0;
  };
  [[nodiscard]] virtual Shown shown() const noexcept = 0;
  // In the order of starting.
  virtual void each_child(const std::function<void(const ShownChild&)>& visit) const = 0;

 protected:
  ~SupervisorFace() = default;
};

}  // namespace cobus
