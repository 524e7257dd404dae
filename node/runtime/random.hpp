// SPDX-License-Identifier: Apache-2.0
//
// Random: where chance comes from. A seam: ids, jitter and choices all draw from here, so the
// simulator can repeat a run from a seed. Not for keys: those come from libsodium.
#pragma once

#include <cstdint>

#include "node/runtime/clock.hpp"

namespace cobus {

class Random {
 public:
  virtual ~Random() = default;
  // 64 uniformly distributed bits. The system's may be called from any thread, a seeded one from one.
  virtual std::uint64_t next() noexcept = 0;

  // Uniform in [0, bound); 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound) noexcept;
  // Uniform in [0, longest].
  Duration jitter(Duration longest) noexcept;
};

// The operating system's random numbers. One object for the process; never destroyed.
[[nodiscard]] Random& system_random() noexcept;

// SplitMix64 (Steele, Lea, Flood 2014): the same seed gives the same sequence everywhere.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept override;

 private:
  std::uint64_t state_;
};

}  // namespace cobus
