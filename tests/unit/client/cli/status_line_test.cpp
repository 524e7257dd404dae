// SPDX-License-Identifier: Apache-2.0
#include "client/cli/status_line.hpp"

#include <gtest/gtest.h>

#include "tests/support/test_node.hpp"
#include "tests/unit/client/cli/captured_console.hpp"

namespace cobus::client {
namespace {

using namespace std::chrono_literals;

StreamTraits screen() {
  StreamTraits traits;
  traits.terminal = traits.moves = true;
  return traits;
}

// Waits for half a second with a line that counts its frames.
Task<> wait_half_a_second(Self self, Console* console, int* frames) {
  StatusLine line(self, *console, [frames](TimePoint) { return "frame " + std::to_string(++*frames); });
  static_cast<void>(co_await sleep(500ms));
  line.end();
}

class StatusLineTest : public TestNode {
 protected:
  void wait(Console& console, int& frames) {
    spawn(&wait_half_a_second, &console, &frames);
    for (int i = 0; i < 10; ++i) advance(100ms);
  }
};

TEST_F(StatusLineTest, IsDrawnAgainUntilItEndsAndThenTakenAway) {
  CapturedConsole captured({}, screen());
  int frames = 0;
  wait(captured.console, frames);
  EXPECT_GE(frames, 5);
  EXPECT_LE(frames, 6);
  EXPECT_TRUE(captured.err().starts_with("frame 1\r\x1b[Kframe 2"));
  EXPECT_TRUE(captured.err().ends_with("\r\x1b[K"));
  EXPECT_EQ(workers(), 0U);
}

TEST_F(StatusLineTest, IsNothingWhereNobodyLooks) {
  CapturedConsole captured;
  int frames = 0;
  wait(captured.console, frames);
  EXPECT_EQ(frames, 0);
  EXPECT_EQ(captured.err(), "");
}

}  // namespace
}  // namespace cobus::client
