// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/parser.hpp"

namespace cobus::client {
namespace {

using testing::HasSubstr;

Result<MapOptions> options(std::vector<std::string> words, bool stdin_terminal = false) {
  words.insert(words.begin(), {"map", "text.Text/WordCount"});
  const auto parsed = parse_command(std::move(words));
  EXPECT_TRUE(parsed);
  return map_options(parsed->arguments, stdin_terminal);
}

TEST(MapOptions, LinesComeFromStdinUnlessAFileIsNamed) {
  EXPECT_EQ(options({})->input, "-");
  EXPECT_EQ(options({"lines.jsonl"})->input, "lines.jsonl");
  EXPECT_EQ(options({})->parallel, 16U);
  EXPECT_TRUE(options({})->ledger);
  EXPECT_FALSE(options({"--no-ledger"})->ledger);
}

TEST(MapOptions, WithNothingToReadItDoesNotWaitForAPersonToType) {
  EXPECT_THAT(options({}, true).error().message(), HasSubstr("--files FIELD PATH"));
  EXPECT_TRUE(options({"-"}, true));
  EXPECT_TRUE(options({"--retry-failed", "--joblog", "f"}, true));
}

TEST(MapOptions, FilesNameAFieldAndAtLeastOnePath) {
  const auto files = options({"--files", "text", "a", "b"});
  EXPECT_EQ(files.value().field, "text");
  EXPECT_EQ(files.value().files, (std::vector<std::string>{"a", "b"}));
  EXPECT_THAT(options({"--files", "text"}).error().message(), HasSubstr("no file"));
  EXPECT_THAT(options({"in.jsonl", "--files", "text", "a"}).error().message(), HasSubstr("not from both"));
}

TEST(MapOptions, ResumingNeedsAJoblog) {
  EXPECT_THAT(options({"--resume"}).error().message(), HasSubstr("--joblog"));
  EXPECT_THAT(options({"--retry-failed"}).error().message(), HasSubstr("--joblog"));
  EXPECT_TRUE(options({"--resume", "--joblog", "f"})->resume);
}

TEST(MapOptions, HaltSaysWhenAndAfterHowMany) {
  EXPECT_EQ(parse_halt("now,fail=3")->fails, 3U);
  EXPECT_TRUE(parse_halt("now,fail=3")->now);
  EXPECT_FALSE(parse_halt("soon,fail=1")->now);
  EXPECT_EQ(parse_halt("never")->fails, 0U);
  for (const char* text : {"", "now", "now,fail=0", "now,fail=x", "later,fail=1"})
    EXPECT_FALSE(parse_halt(text)) << text;
}

TEST(PlaceOf, NamesTheInputAndTheLine) {
  EXPECT_EQ(place_of(*options({"mix.jsonl"}), {2, false, "{}", {}, 3}), "mix.jsonl:3");
  EXPECT_EQ(place_of(*options({}), {2, false, "{}", {}, 3}), "stdin:3");
  EXPECT_EQ(place_of(*options({"--files", "text", "a"}), {1, true, "a", {}}), "");
}

TEST(RequestCommand, IsReadBackFromTheJoblog) {
  const auto lines = *options({});
  EXPECT_EQ(request_command(lines, {7, false, "{\"text\":\"x\"}", {}}),
            "text.Text/WordCount {\"text\":\"x\"}");
  EXPECT_EQ(parse_request_command(lines, "text.Text/WordCount {\"text\":\"x\"}")->text, "{\"text\":\"x\"}");
  const auto files = *options({"--files", "text", "a"});
  const std::string command = request_command(files, {7, true, "a file", {}});
  EXPECT_EQ(command, "text.Text/WordCount --files text a file");
  EXPECT_TRUE(parse_request_command(files, command)->file);
  EXPECT_EQ(parse_request_command(files, command)->text, "a file");
}

TEST(RequestCommand, OfAnotherMapIsRefused) {
  EXPECT_THAT(parse_request_command(*options({}), "echo.Echo/Echo {}").error().message(),
              HasSubstr("another method"));
  EXPECT_THAT(parse_request_command(*options({}), "text.Text/WordCount --files text a").error().message(),
              HasSubstr("--files FIELD"));
}

}  // namespace
}  // namespace cobus::client
