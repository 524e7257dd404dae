// SPDX-License-Identifier: Apache-2.0
#include "proto/json_reader.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "proto/schema.hpp"
#include "tests/support/schemas.hpp"

namespace cobus {
namespace {

class JsonReader : public testing::Test {
 protected:
  JsonReader() {
    EXPECT_EQ(pool_.add(test::schema_set({{"all.proto", R"(
        package all; import "google/protobuf/timestamp.proto";
        enum Color { RED = 0; GREEN = 1; }
        message Empty {}
        message Part { string part_name = 1; int32 size = 2; }
        message All {
          string text = 1; bytes data = 2; bool flag = 3; int32 small = 4; uint32 count = 5; int64 large = 6;
          uint64 huge = 7; double ratio = 8; Color color = 9; Part part = 10; repeated Part parts = 11;
          map<string, Part> named = 12; map<int32, string> numbered = 13; repeated int32 numbers = 14;
          oneof choice { string one = 15; string two = 16; }
          google.protobuf.Timestamp at = 17; All self = 18; Empty empty = 19;
        })"}})),
              Status());
  }
  // What is said of `json`; "" when it is right.
  std::string said(std::string_view json, const char* type = "all.All") const {
    const Result<std::string> bytes = pool_.json_to_bytes(*pool_.find_message(type), json);
    const Status status = bytes ? Status() : bytes.error();
    EXPECT_TRUE(status.ok() || status.code() == Code::invalid_argument);
    return status.message();
  }
  SchemaPool pool_;
};

TEST_F(JsonReader, PassesWhatFits) {
  for (
      const char* json :
      {"{}", R"({"text": "caf\u00e9", "data": "AP8=", "flag": true, "small": -5, "count": 4294967295})",
       R"({"large": "-9223372036854775808", "huge": "18446744073709551615", "ratio": "NaN", "small": 1e3})",
       R"({"color": "GREEN", "part": {"part_name": "x"}, "parts": [{}, {"partName": "y"}]})",
       R"({"named": {"k": {"size": 1}}, "numbered": {"-7": "v"}, "numbers": [1, "2", 3.0]})",
       R"({"one": "x", "two": null, "at": "2020-01-01T00:00:00Z", "color": 77, "ratio": 5, "flag": "true"})"}) {
    EXPECT_EQ(said(json), "") << json;
  }
}

TEST_F(JsonReader, SaysLineAndColumnOfMalformedJson) {
  EXPECT_EQ(
      said("{\"text\": \"a\",\n  \"data\" 5}"),
      "malformed JSON at line 2, column 10: syntax error while parsing object separator - unexpected number "
      "literal; expected ':'");
  EXPECT_TRUE(said("{\"text\": ").starts_with("malformed JSON at line 1, column 10: "));
  EXPECT_TRUE(said("{} x").starts_with("malformed JSON at line 1, column 4: "));
  EXPECT_TRUE(said("{\"ratio\": 1e999}").starts_with("malformed JSON"));
}

TEST_F(JsonReader, SaysHowAnEmptyMessageIsWritten) {
  EXPECT_EQ(said(" \n"), "the JSON for all.All is empty; an empty message is written {}");
}

TEST_F(JsonReader, WantsAnObject) {
  EXPECT_EQ(said("[1]"), "all.All takes an object, such as {\"text\": ...}, but got an array");
  EXPECT_EQ(said("\"x\"", "all.Empty"), "all.Empty takes an object, such as {}, but got the string \"x\"");
  EXPECT_EQ(said(R"({"part": 5})"),
            "field 'part' takes an object, such as {\"part_name\": ...}, but got the number 5");
}

TEST_F(JsonReader, SuggestsTheFieldThatWasMeant) {
  EXPECT_EQ(said(R"({"txet": "a"})"), "all.All has no field 'txet'; did you mean 'text'?");
  EXPECT_EQ(said(R"({"parts": [{}, {"sice": 5}]})"),
            "all.Part (at 'parts[1]') has no field 'sice'; did you mean 'size'?");
}

TEST_F(JsonReader, ListsTheFieldsWhenNoneIsNear) {
  EXPECT_EQ(said(R"({"wavelength": 1})", "all.Part"),
            "all.Part has no field 'wavelength'; it has the fields part_name, size");
  EXPECT_EQ(said(R"({"x": 1})", "all.Empty"), "all.Empty has no field 'x'; it has none");
  EXPECT_TRUE(said(R"({"wavelength": 1})").ends_with(", ... (19 in all)"));
}

TEST_F(JsonReader, NamesTheFieldOfAWrongType) {
  EXPECT_EQ(said(R"({"text": 5})"), "field 'text' of all.All takes a string, but got the number 5");
  EXPECT_EQ(said(R"({"flag": 1})"), "field 'flag' of all.All takes true or false, but got the number 1");
  EXPECT_EQ(said(R"({"small": "abc"})"),
            "field 'small' of all.All takes a whole number from -2147483648 to 2147483647, but got the "
            "string \"abc\"");
  EXPECT_EQ(said(R"({"ratio": {}})"), "field 'ratio' of all.All takes a number, but got an object");
  EXPECT_EQ(
      said(R"({"parts": {}})"),
      "field 'parts' of all.All takes an array [...], each of it an object (all.Part), but got an object");
  EXPECT_EQ(said(R"({"named": []})"),
            "field 'named' of all.All takes an object {\"key\": value, ...}, but got an array");
  EXPECT_EQ(
      said(R"({"numbers": [1, null]})"),
      "field 'numbers[1]' of all.All takes a whole number from -2147483648 to 2147483647, but got null");
}

TEST_F(JsonReader, ShowsOnlyTheStartOfALongValue) {
  EXPECT_LT(said("{\"flag\": \"" + std::string(10'000, 'x') + "\"}").size(), 150U);
}

TEST_F(JsonReader, KeepsNumbersInTheirRange) {
  for (const char* json : {R"({"small": 2147483648})", R"({"count": -1})", R"({"count": 4294967296})",
                           R"({"large": 9223372036854775808})", R"({"huge": -1})", R"({"huge": "1e3"})",
                           R"({"small": 1.5})", R"({"large": 1e19})", R"({"huge": 18446744073709551616})"}) {
    EXPECT_NE(said(json), "") << json;
  }
}

TEST_F(JsonReader, WantsBytesInBase64) {
  EXPECT_EQ(said(R"({"data": "not base64!"})"),
            "field 'data' of all.All takes bytes as a base64 string, but got the string \"not base64!\"");
}

TEST_F(JsonReader, SuggestsTheEnumValueThatWasMeant) {
  EXPECT_EQ(said(R"({"color": "GREN"})"),
            "field 'color': all.Color has no value 'GREN'; did you mean 'GREEN'?");
  EXPECT_EQ(said(R"({"color": "ultraviolet"})"),
            "field 'color': all.Color has no value 'ultraviolet'; it has the values RED, GREEN");
  EXPECT_EQ(said(R"({"color": true})"), "field 'color' of all.All takes one of RED, GREEN, but got true");
}

TEST_F(JsonReader, ChecksTheKeysAndValuesOfMaps) {
  EXPECT_EQ(said(R"({"numbered": {"x": "v"}})"),
            "field 'numbered[\"x\"]' of all.All takes keys that are a whole number from -2147483648 to "
            "2147483647 in "
            "quotes, but got the string \"x\"");
  EXPECT_EQ(said(R"({"numbered": {"1": 2}})"),
            "field 'numbered[\"1\"]' of all.All takes a string, but got the number 2");
}

TEST_F(JsonReader, TakesOneOfAOneof) {
  EXPECT_EQ(said(R"({"one": "x", "two": "y"})"),
            "fields 'one' and 'two' of all.All exclude each other (oneof choice); give one");
}

TEST_F(JsonReader, SaysWhichFieldIsNotUtf8) {
  EXPECT_EQ(said("{\"part\": {\"part_name\": \"caf\xe9\"}}"),
            "field 'part.part_name' of all.All is not UTF-8: byte 0xe9 at line 1, column 28; convert the "
            "text (iconv -t "
            "UTF-8), or send it in a field of type bytes");
  EXPECT_TRUE(said("{\"numbers\": [], \"parts\": [{}, {\"part_name\": \"\xff\"}]}")
                  .starts_with("field 'parts[1].part_name'"));
  EXPECT_TRUE(said("{\xff}").starts_with("the JSON is not UTF-8"));
}

TEST_F(JsonReader, RefusesANameGivenTwice) {
  EXPECT_EQ(said(R"({"small":1,"small":2})"),
            "the JSON has the name 'small' twice in one object; give it once");
  EXPECT_NE(said(R"({"part":{"size":1,"size":1}})"), "");
  EXPECT_EQ(said(R"({"part":{"partName":"a","part_name":"b"}})"),
            "field 'part_name' of all.Part is given twice, as 'partName' and 'part_name'");
  EXPECT_EQ(said(R"({"parts":[{"size":1},{"size":1}],"self":{"small":1},"small":1})"), "");
}

TEST_F(JsonReader, NamesAByteOrderMark) {
  EXPECT_NE(said("\xef\xbb\xbf{}").find("byte order mark (the bytes EF BB BF)"), std::string::npos);
  EXPECT_NE(said(std::string_view("\xff\xfe{\0}\0", 6)).find("iconv -f UTF-16"), std::string::npos);
}

TEST_F(JsonReader, BoundsTheDepth) {
  const auto nested = [](int levels) {
    std::string json;
    for (int i = 1; i < levels; ++i) json += "{\"self\": ";
    return json + "{}" + std::string(static_cast<std::size_t>(levels - 1), '}');
  };
  EXPECT_EQ(said(nested(100)), "");
  EXPECT_EQ(said(nested(101)), "the JSON for all.All is nested over 100 levels deep at line 1, column 901");
  EXPECT_EQ(said("{\"text\": \"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"}"), "");
}

TEST_F(JsonReader, SurvivesWhatIsNestedWithoutBound) {
  const std::string open(300'000, '[');
  const std::string closed(300'000, ']');
  for (const std::string& json :
       {open, open + closed, "{\"self\": " + open + closed + "}", "{\"parts\": [" + open + closed + "]}",
        "{\"named\": {\"a\": " + open + closed + "}}", "{\"at\": " + open + closed + "}",
        "{\"text\": \"\xff\", \"numbers\": " + open + closed + "}"}) {
    EXPECT_NE(said(json).find("nested over 100 levels deep at line 1"), std::string::npos);
  }
}

}  // namespace
}  // namespace cobus
