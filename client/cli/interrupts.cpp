// SPDX-License-Identifier: Apache-2.0
#include "client/cli/interrupts.hpp"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace cobus::client {
namespace {

constexpr int wakes_us = SIGUSR1;

sigset_t caught() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, wakes_us}) sigaddset(&set, signal);
  return set;
}

}  // namespace

Interrupts::Interrupts() {
  const sigset_t set = caught();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // the console sees a reader that went away
  thread_ = std::thread([this] { run(); });
}

Interrupts::~Interrupts() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  pthread_kill(thread_.native_handle(), wakes_us);
  thread_.join();
}

void Interrupts::catch_first(std::function<void(int)> function) {
  const std::scoped_lock lock(mutex_);
  first_ = std::move(function);
}

void Interrupts::run() {
  const sigset_t set = caught();
  for (;;) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    const std::scoped_lock lock(mutex_);
    if (signal == wakes_us) {
      if (ending_) return;
      continue;
    }
    if (!first_) ::_exit(128 + signal);
    std::exchange(first_, nullptr)(signal);
  }
}

}  // namespace cobus::client
