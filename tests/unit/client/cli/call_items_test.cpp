// SPDX-License-Identifier: Apache-2.0
#include "client/cli/call_items.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/strand_fixture.hpp"

namespace cobus::client {
namespace {

Task<> take_all(MapSource* source, std::vector<std::string>* texts) {
  while (std::optional<MapInput> input = co_await source->next()) texts->push_back(input->text);
}

class OpenItems : public StrandFixture {
 protected:
  std::vector<std::string> items(const std::string& text) {
    std::vector<std::string> texts;
    const auto source = open_items(NamedInput{text, -1, "the request"});
    EXPECT_TRUE(source);
    if (source) run(take_all(source->get(), &texts));
    return texts;
  }
};

using Texts = std::vector<std::string>;

TEST_F(OpenItems, TakesTheElementsOfAnArrayAsTheyStand) {
  EXPECT_EQ(items("[]"), Texts());
  EXPECT_EQ(items(" [ ] "), Texts());
  EXPECT_EQ(items(R"([{"a":[1,2],"b":{"c":","}}, {"a":"]\"}"} ,3])"),
            (Texts{R"({"a":[1,2],"b":{"c":","}})", R"( {"a":"]\"}"} )", "3"}));
  EXPECT_EQ(items(R"(["\\",{}])"), (Texts{R"("\\")", "{}"}));
}

TEST_F(OpenItems, TakesAnythingElseForOneRequest) {
  EXPECT_EQ(items(R"({"a":[1]})"), (Texts{R"({"a":[1]})"}));
  EXPECT_EQ(items("{"), (Texts{"{"})) << "whoever reads it says what is wrong";
}

TEST_F(OpenItems, RefusesWhatIsNoArray) {
  for (const char* text : {"[", "[{}", "[{},]", "[1] 2", "[1 2]"}) {
    const auto source = open_items(NamedInput{text, -1, "the request"});
    ASSERT_FALSE(source) << text;
    EXPECT_EQ(source.error().code(), Code::invalid_argument);
    EXPECT_NE(source.error().message().find("[{...}, {...}]"), std::string::npos);
  }
}

}  // namespace
}  // namespace cobus::client
