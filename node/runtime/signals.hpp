// SPDX-License-Identifier: Apache-2.0
//
// SignalGate: signals reach one thread of the process and no other, since a system call that a signal
// interrupts is a trap for libzmq. Make it in main before any thread: it blocks SIGINT, SIGTERM and SIGHUP in
// all of them and takes them in a thread of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace cobus {

class SignalGate {
 public:
  SignalGate();
  ~SignalGate();
  SignalGate(const SignalGate&) = delete;
  SignalGate& operator=(const SignalGate&) = delete;

  // Called by the gate's thread at each SIGINT and SIGTERM, by this one at once if one has come already. It
  // must not call the gate. An empty function takes the last one back: it does not run any more, and does not
  // begin, once this returns.
  void on_stop(std::function<void()> function);
  // The same for SIGHUP, but for those that come from now on.
  void on_reload(std::function<void()> function);
  // Waits for SIGINT or SIGTERM; gives its number.
  int wait();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable came_;
  std::function<void()> on_stop_;    // guarded by mutex_
  std::function<void()> on_reload_;  // guarded by mutex_
  int stop_ = 0;                     // guarded by mutex_
  bool ending_ = false;              // guarded by mutex_
  std::thread thread_;
};

}  // namespace cobus
