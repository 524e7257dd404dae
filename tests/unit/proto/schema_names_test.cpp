// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "proto/schema.hpp"
#include "tests/support/schemas.hpp"

namespace cobus {
namespace {

class SchemaNames : public testing::Test {
 protected:
  SchemaNames() {
    EXPECT_EQ(pool_.add(test::schema_set(
                  {{"text.proto",
                    "package text; message Line {} message M { map<string, Line> lines = 1; }"
                    "service Text { rpc WordCount(Line) returns (Line);"
                    "               rpc Grep(Line) returns (stream Line); }"},
                   {"audio.proto",
                    "package audio; message Line {}"
                    "service Speech { rpc Grep(Line) returns (Line); }"}})),
              Status());
  }

  std::string method(std::string_view name) const {
    const auto found = pool_.find_method(name);
    return found ? (*found)->full_name() : found.error().to_string();
  }
  std::string message(std::string_view name) const {
    const auto found = pool_.find_message(name);
    return found ? (*found)->full_name() : found.error().to_string();
  }

  SchemaPool pool_;
};

TEST_F(SchemaNames, FindAMethodByItsFullName) {
  EXPECT_EQ(method("text.Text/WordCount"), "text.Text.WordCount");
}

TEST_F(SchemaNames, FindAMethodByAnyTailAndEitherSeparator) {
  for (const char* name : {"text.Text.WordCount", "Text/WordCount", "Text.WordCount", "WordCount"}) {
    EXPECT_EQ(method(name), "text.Text.WordCount") << name;
  }
}

TEST_F(SchemaNames, TakeWholeWordsOnly) { EXPECT_TRUE(method("Count").starts_with("NOT_FOUND")); }

TEST_F(SchemaNames, ListWhatAnAmbiguousNameFits) {
  EXPECT_EQ(method("Grep"),
            "INVALID_ARGUMENT: 'Grep' fits several methods: audio.Speech/Grep, text.Text/Grep; write one of "
            "them in full");
}

TEST_F(SchemaNames, SuggestTheNearestMethod) {
  EXPECT_EQ(method("WordCont"), "NOT_FOUND: no method named 'WordCont'; did you mean text.Text/WordCount?");
  EXPECT_EQ(method("wordcount"), "NOT_FOUND: no method named 'wordcount'; did you mean text.Text/WordCount?");
  EXPECT_EQ(method("text.Test/WordCount"),
            "NOT_FOUND: no method named 'text.Test/WordCount'; did you mean text.Text/WordCount?");
  EXPECT_EQ(method("Txt/Grep"), "NOT_FOUND: no method named 'Txt/Grep'; did you mean text.Text/Grep?");
}

TEST_F(SchemaNames, NameTheMethodsOfAServiceOrPackageThatStandsInTheirPlace) {
  for (const char* name : {"Text", "text", "text.Text"}) {
    EXPECT_EQ(method(name), "NOT_FOUND: '" + std::string(name) +
                                "' is no method; did you mean text.Text/WordCount or text.Text/Grep?");
  }
  EXPECT_EQ(pool_.find_service("audio").error().message(),
            "'audio' is a package; did you mean audio.Speech?");
}

TEST_F(SchemaNames, SayWhereToLookWhenNothingIsNear) {
  EXPECT_EQ(method("Frobnicate"),
            "NOT_FOUND: no method named 'Frobnicate'; `cobus services` lists what nodes offer");
  EXPECT_TRUE(method("").starts_with("NOT_FOUND"));
}

TEST_F(SchemaNames, FindAService) {
  ASSERT_TRUE(pool_.find_service("Speech").has_value());
  EXPECT_EQ((*pool_.find_service("Speech"))->full_name(), "audio.Speech");
  EXPECT_FALSE(pool_.find_service("WordCount").has_value());
}

TEST_F(SchemaNames, FindMessagesAlsoOfCobusItself) {
  EXPECT_EQ(message("text.Line"), "text.Line");
  EXPECT_EQ(message("Progress"), "cobus.v1.Progress");
  EXPECT_EQ(message("Status.Detail"), "cobus.v1.Status.Detail");
  EXPECT_EQ(
      message("Line"),
      "INVALID_ARGUMENT: 'Line' fits several messages: audio.Line, text.Line; write one of them in full");
}

TEST_F(SchemaNames, KnowNothingOfMapEntries) { EXPECT_TRUE(message("LinesEntry").starts_with("NOT_FOUND")); }

}  // namespace
}  // namespace cobus
