// SPDX-License-Identifier: Apache-2.0
//
// Interrupts: SIGINT, SIGTERM and SIGHUP for a program that a person waits for. The first one is handed to
// whoever asked for it, so that he can detach and say so; the second, or one that nobody asked for, ends
// the program at once with 128 + its number. (Daemons use node/runtime/signals.hpp, where every signal only
// begins an orderly stop.) Make it in main before any thread: signals reach its own thread only.
#pragma once

#include <functional>
#include <mutex>
#include <thread>

namespace cobus::client {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // From now on the first signal calls `function` with its number, on a thread of this object, instead of
  // ending the program. An empty function takes that back. Any thread but that of the function.
  void catch_first(std::function<void(int signal)> function);

 private:
  void run();

  std::mutex mutex_;
  std::function<void(int)> first_;  // guarded by mutex_
  bool ending_ = false;             // guarded by mutex_
  std::thread thread_;
};

}  // namespace cobus::client
