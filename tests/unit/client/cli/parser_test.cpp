// SPDX-License-Identifier: Apache-2.0
#include "client/cli/parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cobus::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

ParsedCommand parsed(std::vector<std::string> words) {
  auto result = parse_command(std::move(words));
  EXPECT_TRUE(result) << (result ? "" : result.error().message());
  return result ? std::move(*result) : ParsedCommand{};
}

std::string complaint(std::vector<std::string> words) {
  const auto result = parse_command(std::move(words));
  EXPECT_FALSE(result);
  if (result) return {};
  EXPECT_EQ(result.error().code(), Code::invalid_argument);
  return result.error().message();
}

TEST(Parser, SortsWordsByFlagAndPlace) {
  const auto command = parsed({"call", "echo.Echo/Echo", "{\"text\":\"x\"}", "--timeout", "3s", "--node=n1"});
  EXPECT_EQ(command.command->name, "call");
  EXPECT_EQ(command.arguments.text("METHOD"), "echo.Echo/Echo");
  EXPECT_EQ(command.arguments.text("JSON"), "{\"text\":\"x\"}");
  EXPECT_EQ(command.arguments.duration("timeout"), std::chrono::seconds(3));
  EXPECT_EQ(command.arguments.text("node"), "n1");
}

TEST(Parser, AFlagWithoutItsValueSaysWhichItTakes) {
  EXPECT_EQ(complaint({"nodes", "-o"}), "--output needs a value: table|wide|json|jsonl|yaml|id");
  EXPECT_EQ(complaint({"map", "Echo", "--jobs"}), "--jobs needs a value: N");
}

TEST(Parser, GlobalFlagsStandBeforeOrAfterTheVerb) {
  EXPECT_EQ(parsed({"-o", "json", "nodes"}).globals.text("output"), "json");
  EXPECT_EQ(parsed({"nodes", "-o", "json"}).globals.text("output"), "json");
  EXPECT_EQ(parsed({"nodes", "-ojson"}).globals.text("output"), "json");
  EXPECT_TRUE(parsed({"nodes", "--json"}).globals.has("json"));
}

TEST(Parser, AFlagOfTheVerbIsNotTheGlobalOneOfTheSameName) {
  const auto command = parsed({"--state", "/folder", "jobs", "--state", "failed"});
  EXPECT_EQ(command.globals.text("state"), "/folder");
  EXPECT_EQ(command.arguments.text("state"), "failed");
}

TEST(Parser, AMinusAloneAndJsonOfEveryShapeArePlaces) {
  EXPECT_EQ(parsed({"call", "m", "-"}).arguments.text("JSON"), "-");
  EXPECT_EQ(parsed({"call", "m", "{}"}).arguments.text("JSON"), "{}");
  EXPECT_EQ(parsed({"call", "m", "[1,2]"}).arguments.text("JSON"), "[1,2]");
  EXPECT_EQ(parsed({"call", "m", "{\"a\":[1,2]}"}).arguments.text("JSON"), "{\"a\":[1,2]}");
}

TEST(Parser, FilesTakesWordsUpToTheNextFlagAsTheyAre) {
  const auto command =
      parsed({"map", "m", "--files", "text", "a b", "[x,y]", "call", "map", "--keep-order", "-j8"});
  EXPECT_THAT(command.arguments.list("files"), ElementsAre("text", "a b", "[x,y]", "call", "map"));
  const auto dashes = parsed({"map", "m", "--files", "text", "--", "-dash.txt", "--bar"});
  EXPECT_THAT(dashes.arguments.list("files"), ElementsAre("text", "-dash.txt", "--bar"));
  EXPECT_FALSE(dashes.arguments.has("INPUT"));
  EXPECT_FALSE(dashes.arguments.has("bar"));
  const auto late = parsed({"map", "--files", "text", "a", "--", "m", "-b"});
  EXPECT_EQ(late.arguments.text("METHOD"), "m");
  EXPECT_THAT(late.arguments.list("files"), ElementsAre("text", "a", "-b"));
  EXPECT_EQ(parsed({"map", "m", "--", "-in"}).arguments.text("INPUT"), "-in");
  EXPECT_TRUE(command.arguments.has("keep-order"));
  EXPECT_EQ(command.arguments.number("jobs"), 8);
}

TEST(Parser, BehindTwoDashesNothingIsAFlag) {
  EXPECT_EQ(parsed({"call", "--", "Echo", "--json"}).arguments.text("JSON"), "--json");
  EXPECT_EQ(parsed({"call", "Echo", "--timeout", "3s", "--", "-"}).arguments.text("JSON"), "-");
  EXPECT_THAT(parsed({"wait", "a", "--", "-b", "--"}).arguments.list("ID"), ElementsAre("a", "-b", "--"));
  EXPECT_THAT(complaint({"nodes", "--", "-x"}), HasSubstr("does not take '-x'"));
}

TEST(Parser, PlacesMayBeNamedAsVerbsAre) {
  EXPECT_EQ(parsed({"node", "up"}).arguments.text("NAME"), "up");
  EXPECT_THAT(parsed({"wait", "jobs", "map"}).arguments.list("ID"), ElementsAre("jobs", "map"));
}

TEST(Parser, RepeatedFlagsKeepEveryValue) {
  const auto command = parsed({"submit", "m", "--label", "a=1", "--label", "b=2=3"});
  EXPECT_THAT(command.arguments.pairs("label"),
              ElementsAre(testing::Pair("a", "1"), testing::Pair("b", "2=3")));
}

TEST(Parser, UnknownVerbsAndFlagsAreAnsweredWithTheNearest) {
  EXPECT_THAT(complaint({"nods"}), HasSubstr("did you mean nodes?"));
  EXPECT_THAT(complaint({"xyzzy"}), HasSubstr("cobus help"));
  EXPECT_THAT(complaint({"nodes", "--al"}), HasSubstr("did you mean --all?"));
  EXPECT_THAT(complaint({"map", "m", "--keep-ordr"}), HasSubstr("did you mean --keep-order?"));
  EXPECT_THAT(complaint({"submit", "m", "--at", "9"}), Not(HasSubstr("did you mean"))) << "two letters off";
  EXPECT_THAT(complaint({"--nonsense"}), HasSubstr("--nonsense"));
}

TEST(Parser, WhatIsMissingOrTooMuchIsNamed) {
  EXPECT_THAT(complaint({"call"}), HasSubstr("METHOD"));
  EXPECT_THAT(complaint({"nodes", "extra"}), HasSubstr("'extra'"));
  EXPECT_THAT(complaint({"call", "m", "--timeout"}), HasSubstr("--timeout"));
}

TEST(Parser, ValuesAreCheckedAndTheFlagNamed) {
  EXPECT_THAT(complaint({"call", "m", "--timeout", "soon"}), HasSubstr("--timeout: 'soon'"));
  EXPECT_THAT(complaint({"map", "m", "-j", "0"}), HasSubstr("--jobs: '0' is not a whole number from 1"));
  EXPECT_THAT(complaint({"submit", "m", "--label", "plain"}), HasSubstr("KEY=VALUE"));
  EXPECT_THAT(complaint({"nodes", "-o", "jsn"}), HasSubstr("did you mean json?"));
  EXPECT_THAT(complaint({"tap", "--rate", "fast"}), HasSubstr("100/s"));
}

TEST(Help, EveryVerbHasASummaryAndAnExample) {
  for (const Command& command : commands()) {
    EXPECT_FALSE(command.summary.empty()) << command.name;
    EXPECT_FALSE(command.examples.empty()) << command.name;
    const std::string page = help_text(&command);
    EXPECT_THAT(page, HasSubstr("Usage: cobus " + command.name));
    for (const Flag& flag : command.flags) EXPECT_THAT(page, HasSubstr("--" + flag.name));
    EXPECT_THAT(help_text(nullptr), HasSubstr("  " + command.name + ' '));
  }
}

TEST(Help, IsGivenInEveryWayPeopleAskForIt) {
  const std::string page = help_text(parsed({"map", "m"}).command);
  EXPECT_EQ(parsed({"map", "--help"}).text, page);
  EXPECT_EQ(parsed({"help", "map"}).text, page);
  EXPECT_EQ(parsed({"map", "-h"}).text, page);
  EXPECT_EQ(parsed({}).text, help_text(nullptr));
  EXPECT_EQ(parsed({"help"}).text, help_text(nullptr));
  EXPECT_EQ(parsed({"--help"}).text, help_text(nullptr));
  EXPECT_THAT(complaint({"help", "mop"}), HasSubstr("did you mean"));
  EXPECT_THAT(parsed({"--version"}).text, HasSubstr("cobus "));
}

TEST(Help, NoLineIsTooLongForAnOrdinaryScreen) {
  for (const Command& command : commands()) {
    const std::string page = help_text(&command);
    for (std::size_t from = 0, to = 0; (to = page.find('\n', from)) != std::string::npos; from = to + 1) {
      EXPECT_LE(to - from, 120U) << page.substr(from, to - from);
    }
  }
}

}  // namespace
}  // namespace cobus::client
