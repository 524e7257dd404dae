// SPDX-License-Identifier: Apache-2.0
#include "client/cli/console.hpp"

#include <gtest/gtest.h>

#include "tests/unit/client/cli/captured_console.hpp"

namespace cobus::client {
namespace {

StreamTraits screen() {
  StreamTraits traits;
  traits.terminal = traits.moves = traits.colors = true;
  traits.columns = 20;
  return traits;
}

TEST(Console, DataGoesToStdoutAndTheRestToStderr) {
  CapturedConsole captured;
  captured.console.print("data");
  captured.console.error("it failed");
  captured.console.note("a hint");
  EXPECT_EQ(captured.out(), "data\n");
  EXPECT_EQ(captured.err(), "cobus: it failed\na hint\n");
}

TEST(Console, NoStatusLineWhereNobodyLooks) {
  CapturedConsole captured;
  captured.console.status("Please wait ...");
  captured.console.clear_status();
  EXPECT_EQ(captured.err(), "");
}

TEST(Console, TheStatusLineGivesWayToOtherLinesAndComesBack) {
  CapturedConsole captured({}, screen());
  captured.console.status("working");
  captured.console.note("news");
  captured.console.clear_status();
  EXPECT_EQ(captured.err(), "working\r\x1b[Knews\nworking\r\x1b[K");
}

TEST(Console, TheStatusLineFitsTheScreen) {
  CapturedConsole captured({}, screen());
  captured.console.status("a status line that is far too long");
  EXPECT_EQ(captured.err(), "a status line that…");
}

TEST(Console, DataOnTheSameScreenTakesTheStatusLineAwayFirst) {
  CapturedConsole captured(screen(), screen());
  captured.console.status("working");
  captured.console.print("data");
  EXPECT_EQ(captured.out(), "data\n");
  EXPECT_EQ(captured.err(), "working\r\x1b[Kworking");
}

TEST(Console, PaintIsLeftOutWithoutColours) {
  CapturedConsole plain;
  EXPECT_EQ(plain.console.painted("x", Console::Paint::red), "x");
  CapturedConsole colourful(screen(), {});
  EXPECT_EQ(colourful.console.painted("x", Console::Paint::red), "\x1b[31mx\x1b[0m");
}

TEST(ConsoleDeathTest, AFullDiskEndsTheProgramWithItsReason) {
  EXPECT_EXIT(
      {
        std::FILE* full = std::fopen("/dev/full", "w");
        Console console(full, {}, stderr, {});
        console.print("data");
      },
      testing::ExitedWithCode(1), "cannot write to stdout: No space left");
}

}  // namespace
}  // namespace cobus::client
