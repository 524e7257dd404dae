// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/signals.hpp"

#include <csignal>

#include <pthread.h>

namespace cobus {
namespace {

sigset_t gated() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaddset(&set, signal);
  return set;
}

}  // namespace

SignalGate::SignalGate() {
  const sigset_t set = gated();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([this] { run(); });
}

SignalGate::~SignalGate() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void SignalGate::on_stop(std::function<void()> function) {
  const std::scoped_lock lock(mutex_);
  on_stop_ = std::move(function);
  if (stop_ != 0 && on_stop_) on_stop_();
}

void SignalGate::on_reload(std::function<void()> function) {
  const std::scoped_lock lock(mutex_);
  on_reload_ = std::move(function);
}

int SignalGate::wait() {
  std::unique_lock lock(mutex_);
  came_.wait(lock, [this] { return stop_ != 0; });
  return stop_;
}

void SignalGate::run() {
  const sigset_t set = gated();
  for (;;) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    const std::scoped_lock lock(mutex_);
    if (signal == SIGUSR1 && ending_) return;
    if (signal == SIGHUP && on_reload_) on_reload_();
    if (signal != SIGINT && signal != SIGTERM) continue;
    stop_ = signal;
    came_.notify_all();
    if (on_stop_) on_stop_();
  }
}

}  // namespace cobus
