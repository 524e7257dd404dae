// SPDX-License-Identifier: Apache-2.0
#include "client/cli/output.hpp"

#include <gtest/gtest.h>

#include "tests/unit/client/cli/captured_console.hpp"

namespace cobus::client {
namespace {

std::vector<OutputColumn> columns() {
  const auto text = [](const char* key) {
    return [key](const Json& object) { return plain(field(object, key)); };
  };
  return {{"NAME", text("name")}, {"LOAD", text("load"), true}, {"ID", text("id"), false, false, true}};
}

std::string list(Format format, int count = 2) {
  CapturedConsole captured;
  ListOutput output(captured.console, format, columns(), "id");
  for (int i = 0; i < count; ++i)
    output.add({{"name", "n" + std::to_string(i)}, {"load", i}, {"id", "x" + std::to_string(i)}});
  output.finish();
  return captured.out();
}

TEST(Output, TablesShowColumnsAndWideOnesMore) {
  EXPECT_EQ(list(Format::table), "NAME  LOAD\nn0       0\nn1       1\n");
  EXPECT_EQ(list(Format::wide), "NAME  LOAD  ID\nn0       0  x0\nn1       1  x1\n");
}

TEST(Output, JsonIsOneArrayAndJsonlOneObjectALine) {
  EXPECT_EQ(Json::parse(list(Format::json)).size(), 2U);
  EXPECT_EQ(list(Format::jsonl),
            "{\"name\":\"n0\",\"load\":0,\"id\":\"x0\"}\n{\"name\":\"n1\",\"load\":1,\"id\":\"x1\"}\n");
}

TEST(Output, IdsAloneAreForOtherCommands) { EXPECT_EQ(list(Format::id), "x0\nx1\n"); }

TEST(Output, AnEmptyListIsStillWellFormed) {
  EXPECT_EQ(list(Format::json, 0), "[]\n");
  EXPECT_EQ(list(Format::yaml, 0), "[]\n");
  EXPECT_EQ(list(Format::jsonl, 0), "");
  EXPECT_EQ(list(Format::table, 0), "NAME  LOAD\n");
}

TEST(Output, YamlListsCanBeJoined) { EXPECT_EQ(list(Format::yaml, 1), "- name: n0\n  load: 0\n  id: x0\n"); }

TEST(Output, OneObjectIsALineOfJsonOrItsFields) {
  const Json object = {{"name", "n1"}, {"id", "7"}};
  CapturedConsole captured;
  print_object(captured.console, Format::jsonl, object, "id", {});
  print_object(captured.console, Format::id, object, "id", {});
  print_object(captured.console, Format::table, object, "id",
               {{"name", "n1"}, {"address", "a"}, {"empty", ""}});
  EXPECT_EQ(captured.out(), "{\"name\":\"n1\",\"id\":\"7\"}\n7\nname     n1\naddress  a\n");
}

TEST(Output, FormatsAreKnownByName) {
  EXPECT_EQ(parse_format("yaml"), Format::yaml);
  EXPECT_NE(parse_format("xml").error().message().find("jsonl"), std::string::npos);
}

TEST(Output, WithoutAWordPeopleGetTablesAndProgramsJson) {
  StreamTraits terminal;
  terminal.terminal = true;
  CapturedConsole people(terminal, {});
  CapturedConsole program;
  EXPECT_EQ(format_or_default({}, people.console), Format::table);
  EXPECT_EQ(format_or_default({}, program.console), Format::jsonl);
  EXPECT_EQ(format_or_default(Format::id, people.console), Format::id);
}

}  // namespace
}  // namespace cobus::client
