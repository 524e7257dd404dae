// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/descriptor_limit.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace cobus {
namespace {

constexpr std::size_t usual = 1024;
// Some containers allow a thousand times as many, and programs that close all they may have take minutes.
constexpr rlim_t enough = 1 << 20;

}  // namespace

std::size_t descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return usual;
  return static_cast<std::size_t>(limit.rlim_cur);
}

void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min(limit.rlim_max, enough);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

}  // namespace cobus
