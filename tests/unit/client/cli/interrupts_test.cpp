// SPDX-License-Identifier: Apache-2.0
#include "client/cli/interrupts.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <future>

namespace cobus::client {
namespace {

// Each in a process of its own, since signals are the process's.
class InterruptsDeathTest : public testing::Test {
 protected:
  InterruptsDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

[[noreturn]] void wait_to_be_ended() {
  for (;;) ::pause();
}

TEST_F(InterruptsDeathTest, ASignalThatNobodyAskedForEndsTheProgramWithItsNumber) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EXIT(
        {
          Interrupts interrupts;
          ::kill(::getpid(), signal);
          wait_to_be_ended();
        },
        testing::ExitedWithCode(128 + signal), "");
  }
}

TEST_F(InterruptsDeathTest, TheFirstIsHandedOverAndTheSecondEndsTheProgram) {
  EXPECT_EXIT(
      {
        Interrupts interrupts;
        std::promise<int> first;
        interrupts.catch_first([&first](int signal) { first.set_value(signal); });
        ::kill(::getpid(), SIGTERM);
        if (first.get_future().get() != SIGTERM) ::_exit(1);
        ::kill(::getpid(), SIGINT);
        wait_to_be_ended();
      },
      testing::ExitedWithCode(128 + SIGINT), "");
}

TEST_F(InterruptsDeathTest, EndsByItselfWithoutASignal) {
  EXPECT_EXIT(
      {
        {
          const Interrupts interrupts;
        }
        ::_exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cobus::client
