// SPDX-License-Identifier: Apache-2.0
#include "client/cli/terminal.hpp"

#include <gtest/gtest.h>

#include <map>

namespace cobus::client {
namespace {

StreamTraits traits(bool terminal, std::map<std::string, std::string> variables,
                    Color color = Color::automatic) {
  return stream_traits(terminal, 0, color, [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Terminal, ColoursGoToTerminalsOnly) {
  EXPECT_TRUE(traits(true, {{"TERM", "xterm"}}).colors);
  EXPECT_FALSE(traits(false, {{"TERM", "xterm"}}).colors);
}

TEST(Terminal, NoColorIsHonoured) {
  EXPECT_FALSE(traits(true, {{"TERM", "xterm"}, {"NO_COLOR", "1"}}).colors);
  EXPECT_TRUE(traits(true, {{"TERM", "xterm"}, {"NO_COLOR", ""}}).colors) << "empty counts as not set";
}

TEST(Terminal, ForceColorAndTheFlagWinOverTheStream) {
  EXPECT_TRUE(traits(false, {{"TERM", "xterm"}, {"FORCE_COLOR", "1"}}).colors);
  EXPECT_FALSE(traits(true, {{"TERM", "xterm"}, {"FORCE_COLOR", "0"}}).colors);
  EXPECT_TRUE(traits(false, {{"NO_COLOR", "1"}}, Color::always).colors);
  EXPECT_FALSE(traits(true, {{"TERM", "xterm"}, {"FORCE_COLOR", "1"}}, Color::never).colors);
}

TEST(Terminal, ADumbTerminalIsWrittenToLineByLine) {
  const StreamTraits dumb = traits(true, {{"TERM", "dumb"}});
  EXPECT_TRUE(dumb.terminal);
  EXPECT_FALSE(dumb.moves);
  EXPECT_FALSE(dumb.colors);
  EXPECT_TRUE(traits(true, {{"TERM", "xterm"}}).moves);
}

TEST(Terminal, ColumnsSaysHowWideTheScreenIs) {
  EXPECT_EQ(traits(true, {{"COLUMNS", "132"}}).columns, 132U);
  EXPECT_EQ(traits(true, {{"COLUMNS", "wide"}}).columns, 80U);
  EXPECT_EQ(traits(true, {}).columns, 80U);
}

TEST(Terminal, Utf8IsTakenFromTheFirstLocaleVariableThatIsSet) {
  EXPECT_TRUE(traits(true, {{"LANG", "de_DE.UTF-8"}}).unicode);
  EXPECT_FALSE(traits(true, {{"LC_ALL", "C"}, {"LANG", "de_DE.UTF-8"}}).unicode);
  EXPECT_FALSE(traits(true, {}).unicode);
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("Grüße"), 5U);
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("e\xcc\x81"), 1U) << "a letter and its combining accent";
  EXPECT_EQ(display_width("\xff\xfe"), 2U) << "malformed bytes";
}

TEST(Fit, CutsAtCharactersAndSaysSo) {
  EXPECT_EQ(fit("short", 10), "short");
  EXPECT_EQ(fit("a long text", 6), "a lon…");
  EXPECT_EQ(fit("日本語", 4), "日…");
  EXPECT_EQ(fit("anything", 0), "");
}

TEST(Printable, LetsNobodyDriveTheTerminal) {
  EXPECT_EQ(printable("a\x1b[31mb"), "a?[31mb");
  EXPECT_EQ(printable("line\nnext\tend"), "line next end");
  EXPECT_EQ(printable("\xc2\x9b"), "?") << "the control sequence introducer in UTF-8";
  EXPECT_EQ(printable("ok é"), "ok é");
  EXPECT_EQ(printable("\xff"), "\xef\xbf\xbd");
}

}  // namespace
}  // namespace cobus::client
