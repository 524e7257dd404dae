// SPDX-License-Identifier: Apache-2.0
//
// count_primes: how many primes lie in a range. A pure function; any thread.
#pragma once

#include <cstdint>

#include "node/runtime/offload.hpp"

namespace cobus::services {

// In [from, to). A segmented sieve of Eratosthenes over odd numbers: memory for one segment and the primes
// up to the root of `to`. Returns what it counted so far once `stop` is requested.
[[nodiscard]] std::uint64_t count_primes(std::uint64_t from, std::uint64_t to, OffloadStop stop);

}  // namespace cobus::services
