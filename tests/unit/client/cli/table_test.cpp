// SPDX-License-Identifier: Apache-2.0
#include "client/cli/table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/terminal.hpp"

namespace cobus::client {
namespace {

using testing::ElementsAre;

TEST(Table, ColumnsAreAsWideAsTheirCells) {
  Table table({{"NAME"}, {"N", true}});
  table.add({"alpha", "7"});
  table.add({"日本", "12"});
  EXPECT_THAT(table.lines(0), ElementsAre("NAME    N", "alpha   7", "日本   12"));
}

TEST(Table, AColumnThatShrinksGivesWay) {
  Table table({{"ID"}, {"WHY", false, true}});
  table.add({"0123456789", "the reason is a long one"});
  for (const std::string& line : table.lines(24)) EXPECT_LE(display_width(line), 24U) << line;
  EXPECT_EQ(table.lines(24)[1], "0123456789  the reason …");
}

TEST(Table, AScreenThatIsTooNarrowGetsWhatCannotShrink) {
  Table table({{"ID"}});
  table.add({"0123456789"});
  EXPECT_EQ(table.lines(4)[1], "0123456789");
}

TEST(Table, CellsCannotDriveTheTerminal) {
  Table table({{"A"}});
  table.add({"x\x1b[2J"});
  EXPECT_EQ(table.lines(0)[1], "x?[2J");
}

}  // namespace
}  // namespace cobus::client
