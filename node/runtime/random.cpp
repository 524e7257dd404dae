// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/random.hpp"

#include <random>

namespace cobus {
namespace {

class SystemRandom final : public Random {
 public:
  std::uint64_t next() noexcept override {
    thread_local std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
  }
};

}  // namespace

std::uint64_t Random::below(std::uint64_t bound) noexcept {
  if (bound == 0) return 0;
  // Multiply-shift (Lemire 2019); the bias of at most bound / 2^64 does not matter here.
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
}

Duration Random::jitter(Duration longest) noexcept {
  return Duration(static_cast<Duration::rep>(below(static_cast<std::uint64_t>(longest.count()) + 1)));
}

Random& system_random() noexcept {
  static SystemRandom random;
  return random;
}

std::uint64_t SeededRandom::next() noexcept {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace cobus
