// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/options.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace cobus {
namespace {

const std::vector<OptionSpec>& table() {
  using Kind = OptionSpec::Kind;
  static const std::vector<OptionSpec> all = {
      {"name", Kind::text, "nobody", "A name", 0, 0, {}},
      {"shards", Kind::number, "2", "Threads", 1, 8, {}},
      {"label", Kind::list, "", "Labels", 0, 0, {}},
      {"log-level", Kind::text, "info", "How much", 0, 0, {"info", "warn"}},
  };
  return all;
}

Result<ParsedOptions> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "program");
  return parse_options("program", "does things", table(), static_cast<int>(words.size()), words.data());
}

class OptionsTest : public ::testing::Test {
 protected:
  ~OptionsTest() override {
    ::unsetenv("COBUS_SHARDS");
    std::filesystem::remove(file_);
  }
  const char* write(const std::string& text) {
    std::ofstream(file_) << text;
    return file_.c_str();
  }
  const std::string file_ =
      std::filesystem::temp_directory_path() / ("options_" + std::to_string(::getpid()) + ".toml");
};

TEST_F(OptionsTest, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  EXPECT_EQ(parse({}).value().values.number("shards"), 2);
  const char* file = write("shards = 3\n");
  EXPECT_EQ(parse({"--config", file}).value().values.number("shards"), 3);
  ::setenv("COBUS_SHARDS", "4", 1);
  EXPECT_EQ(parse({"--config", file}).value().values.number("shards"), 4);
  EXPECT_EQ(parse({"--config", file, "--shards", "5"}).value().values.number("shards"), 5);
}

TEST_F(OptionsTest, NamesTheFlagAndItsBounds) {
  const auto parsed = parse({"--shards", "9"});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message(), "--shards: '9' is not a number from 1 to 8");
  EXPECT_EQ(parse({"--log-level", "loud"}).error().message(), "--log-level: 'loud' is none of: info, warn");
}

TEST_F(OptionsTest, NamesTheFileAndTheUnknownKey) {
  const auto parsed = parse({"--config", write("colour = 1\n")});
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message().find("no option 'colour'"), std::string::npos);
}

TEST_F(OptionsTest, NamesFileLineAndKeyOfAValueThatDoesNotFit) {
  const auto complaint = [this](const char* text) {
    const auto parsed = parse({"--config", write(text)});
    EXPECT_FALSE(parsed) << text;
    return parsed ? std::string() : parsed.error().message().substr(file_.size());
  };
  EXPECT_EQ(complaint("\nshards = 9\n"), ", line 2: shards: '9' is not a number from 1 to 8");
  EXPECT_EQ(complaint("log-level = []\n"), ", line 1: log-level wants one value, not a list");
  EXPECT_EQ(complaint("name = [\"a\", \"b\"]\n"), ", line 1: name wants one value, not a list");
  EXPECT_EQ(complaint("shards = 2.5\n"), ", line 1: shards wants a text, a whole number, true or false");
  EXPECT_EQ(complaint("label = [\"a\", {b = 1}]\n"),
            ", line 1: label wants a text, a whole number, true or false");
  EXPECT_EQ(complaint("[name]\nfirst = 1\n"), ", line 1: name wants a text, a whole number, true or false");
  EXPECT_EQ(parse({"--config", write("label = []\n")}).value().values.list("label"),
            std::vector<std::string>());
}

TEST_F(OptionsTest, AFolderIsNoFileOfOptions) {
  const auto parsed = parse({"--config", "/tmp"});
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message().find("/tmp is no file"), std::string::npos) << parsed.error().message();
}

TEST_F(OptionsTest, FilesAndEnvironmentAloneSayWhereAValueComesFrom) {
  const auto values = read_options(table(), {write("shards = 3\n"), "/no/such/file"});
  ASSERT_TRUE(values);
  EXPECT_EQ(values->number("shards"), 3);
  EXPECT_EQ(values->source("shards"), file_);
  EXPECT_EQ(values->source("name"), "");
}

TEST_F(OptionsTest, CollectsEveryValueOfAList) {
  EXPECT_EQ(parse({"--label", "a=1", "--label", "b=2"}).value().values.list("label"),
            (std::vector<std::string>{"a=1", "b=2"}));
}

TEST_F(OptionsTest, WhatItPrintsItReadsBack) {
  const auto printed = parse({"--name", "a \"quoted\" one", "--label", "x=1", "--print-config"});
  ASSERT_TRUE(printed && printed->finished);
  const auto read = parse({"--config", write(printed->output)});
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->values.text("name"), "a \"quoted\" one");
  EXPECT_EQ(read->values.list("label"), std::vector<std::string>{"x=1"});
}

}  // namespace
}  // namespace cobus
