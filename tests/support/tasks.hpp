// SPDX-License-Identifier: Apache-2.0
//
// Tasks that tests of coroutines are made of, and an object that tells whether it was destroyed.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include "node/runtime/await.hpp"
#include "node/runtime/task.hpp"

namespace cobus {

using std::chrono::milliseconds;

// Counts how many of its kind are alive.
struct Counted {
  explicit Counted(int* count) : live(count) { ++*live; }
  Counted(Counted&& other) noexcept : live(other.live) { ++*live; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --*live; }
  int* live;
};

// Gives `value` after that time, or at once when it is asked to stop.
template <class T>
Task<T> after(Duration wait, T value) {
  static_cast<void>(co_await sleep(wait));
  co_return std::move(value);
}
template <class T>
Task<T> at_once(T value) {
  co_return std::move(value);
}
// Ok after that time, CANCELLED when it is asked to stop.
inline Task<Status> pause(Duration wait) { co_return co_await sleep(wait); }
// The same, and counted in `live` from its start to its end.
inline Task<Status> pause_holding(Duration wait, int* live) {
  const Counted counted(live);
  co_return co_await sleep(wait);
}
// Tells that it was started.
inline Task<> raise(bool* flag) {
  *flag = true;
  co_return;
}
template <class T = void>
Task<T> throw_after(Duration wait, std::string what) {
  if (wait > Duration(0)) static_cast<void>(co_await sleep(wait));
  throw std::runtime_error(what);
}

}  // namespace cobus
