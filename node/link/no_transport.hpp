// SPDX-License-Identifier: Apache-2.0
//
// NoTransport: for a node by itself: nobody can be dialled and nobody comes. What polls sleeps until it is
// woken.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "node/link/transport.hpp"

namespace cobus::link {

class NoTransport final : public Transport {
 public:
  Result<ConnectionId> dial(const std::string& /*endpoint*/, const CurveKey& /*server_key*/) override {
    return fail(Code::unavailable, "this node has no network");
  }
  SendOutcome send(ConnectionId /*connection*/, std::string_view /*frame*/) override {
    return SendOutcome::gone;
  }
  void close(ConnectionId /*connection*/) override {}
  void poll(TransportEvents& /*events*/, Duration longest) override {
    std::unique_lock lock(mutex_);
    const auto woken = [this] { return woken_; };
    if (longest < Duration(0)) {
      wakes_.wait(lock, woken);
    } else {
      wakes_.wait_for(lock, longest, woken);
    }
    woken_ = false;
  }
  void wake() noexcept override {
    {
      const std::scoped_lock lock(mutex_);
      woken_ = true;
    }
    wakes_.notify_one();
  }
  [[nodiscard]] std::string listening() const override { return {}; }

 private:
  std::mutex mutex_;
  std::condition_variable wakes_;
  bool woken_ = false;  // guarded by mutex_
};

}  // namespace cobus::link
