// SPDX-License-Identifier: Apache-2.0
//
// Ulid: ids of jobs, 26 characters of lower-case Crockford base32: 48 bits of milliseconds, then 80
// random bits. They sort by time, need no coordination between nodes, and within one source each is
// larger than the one before, even if the wall clock goes back. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "node/runtime/clock.hpp"
#include "node/runtime/random.hpp"

namespace cobus::job {

inline constexpr std::size_t ulid_length = 26;

class UlidSource {
 public:
  // Both must outlive the source.
  UlidSource(const Clock& clock, Random& random) noexcept : clock_(clock), random_(random) {}
  [[nodiscard]] std::string next();

 private:
  const Clock& clock_;
  Random& random_;
  std::uint64_t milliseconds_ = 0;
  std::uint16_t high_ = 0;  // upper 16 of the random bits
  std::uint64_t low_ = 0;   // lower 64
};

// The text as an id or prefix of one is stored: in lower case.
[[nodiscard]] std::string ulid_prefix(std::string_view text);

}  // namespace cobus::job
