// SPDX-License-Identifier: Apache-2.0
//
// The seeds of the simulations: COBUS_SIM_SEED=N repeats one run, COBUS_SIM_SEEDS=N runs that many. Without,
// 100, or 25 where a sanitizer slows them down. The long mode is 1,000 and more.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

namespace cobus::sim {

// Of a scenario that takes long, `most` of the usual ones.
inline std::vector<std::uint64_t> seeds(std::size_t most = SIZE_MAX) {
  const auto number = [](const char* name) -> std::uint64_t {
    const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
  };
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  constexpr std::size_t usual = 25;
#else
  constexpr std::size_t usual = 100;
#endif
  if (const std::uint64_t one = number("COBUS_SIM_SEED"); one != 0) return {one};
  std::vector<std::uint64_t> many(number("COBUS_SIM_SEEDS") != 0 ? number("COBUS_SIM_SEEDS")
                                                                 : std::min(usual, most));
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = i + 1;
  return many;
}

// Whether somebody looks at one run, and wants to read what happens in it.
inline bool replays_one_seed() {
  return std::getenv("COBUS_SIM_SEED") != nullptr;  // NOLINT(concurrency-mt-unsafe): one thread
}

// What to type to see a failing seed again.
inline std::string replay(std::uint64_t seed) {
  return "replay: COBUS_SIM_SEED=" + std::to_string(seed) + " sim_cluster_test";
}

}  // namespace cobus::sim
