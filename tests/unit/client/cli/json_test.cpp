// SPDX-License-Identifier: Apache-2.0
#include "client/cli/json.hpp"

#include <gtest/gtest.h>

namespace cobus::client {
namespace {

TEST(Json, FieldsKeepTheirOrder) {
  Json object;
  object["name"] = "n1";
  object["id"] = "7";
  EXPECT_EQ(one_line(object), R"({"name":"n1","id":"7"})");
}

TEST(Json, TextThatIsNotUtf8IsRepaired) { EXPECT_EQ(one_line(Json("a\xff")), "\"a\xef\xbf\xbd\""); }

TEST(Json, AMissingFieldIsNull) {
  const Json object = {{"a", 1}};
  EXPECT_TRUE(field(object, "b").is_null());
  EXPECT_TRUE(field(Json(3), "a").is_null());
  EXPECT_EQ(plain(field(object, "a")), "1");
  EXPECT_EQ(plain(Json("text")), "text");
  EXPECT_EQ(plain(Json()), "");
}

TEST(Yaml, NestedValuesAreIndented) {
  const Json value =
      Json::parse(R"({"name":"n1","services":["a.B","c.D"],"load":{"cpu":0.5},"labels":{},"none":null})");
  EXPECT_EQ(to_yaml(value),
            "name: n1\nservices:\n  - a.B\n  - c.D\nload:\n  cpu: 0.5\nlabels: {}\nnone: null\n");
}

TEST(Yaml, ListsOfObjectsBeginOnTheLineOfTheDash) {
  EXPECT_EQ(to_yaml(Json::parse(R"([{"a":1,"b":[2,3]}])")), "- a: 1\n  b:\n    - 2\n    - 3\n");
}

TEST(Yaml, TextThatYamlWouldReadOtherwiseIsQuoted) {
  for (const char* text : {"true", "No", "12", "1.5", "", "a: b", "# x", "2026-01-01", "-", "null", "y"}) {
    EXPECT_EQ(to_yaml(Json(text)).front(), '"') << text;
  }
  EXPECT_EQ(to_yaml(Json("text.Text/WordCount")), "text.Text/WordCount\n");
}

TEST(Json, ControlsThatATerminalObeysAreEscaped) {
  const Json value =
      "a\x7f"
      "b\xc2\x9b"
      "31m \xc2\xa0\xc3\x9b";
  EXPECT_EQ(one_line(value), "\"a\\u007fb\\u009b31m \xc2\xa0\xc3\x9b\"");
  EXPECT_EQ(Json::parse(one_line(value)), value);
  EXPECT_EQ(to_yaml(value), one_line(value) + "\n");
}

}  // namespace
}  // namespace cobus::client
