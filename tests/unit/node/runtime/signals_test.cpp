// SPDX-License-Identifier: Apache-2.0
//
// SignalGate: who hears of a signal, and who no longer does.
#include "node/runtime/signals.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

namespace cobus {
namespace {

class SignalGateTest : public testing::Test {
 protected:
  SignalGateTest() { pthread_sigmask(SIG_SETMASK, nullptr, &before_); }
  ~SignalGateTest() override { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  // Returns once the gate has taken it.
  static void send(SignalGate& gate, int signal) {
    ASSERT_EQ(::kill(::getpid(), signal), 0);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (gate.wait() != signal) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

 private:
  sigset_t before_{};
};

TEST_F(SignalGateTest, CallsTheFunctionAtEachSignalAndAtOnceForOneThatCame) {
  SignalGate gate;
  std::atomic<int> calls = 0;
  send(gate, SIGTERM);
  gate.on_stop([&] { ++calls; });
  EXPECT_EQ(calls, 1);
  send(gate, SIGINT);
  gate.on_stop({});  // waits for the call that may be under way
  EXPECT_EQ(calls, 2);
}

TEST_F(SignalGateTest, TakesAFunctionBackThoughASignalHasComeAlready) {
  SignalGate gate;
  std::atomic<int> calls = 0;
  gate.on_stop([&] { ++calls; });
  send(gate, SIGTERM);
  gate.on_stop({});
  EXPECT_EQ(calls, 1);
  send(gate, SIGINT);
  gate.on_stop({});
  EXPECT_EQ(calls, 1);
}

TEST_F(SignalGateTest, AHangUpReloadsAndStopsNothing) {
  SignalGate gate;
  std::atomic<int> reloads = 0;
  gate.on_reload([&] { ++reloads; });
  ASSERT_EQ(::kill(::getpid(), SIGHUP), 0);
  while (reloads == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  gate.on_reload({});
  send(gate, SIGTERM);
  EXPECT_EQ(reloads, 1);
}

}  // namespace
}  // namespace cobus
