// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_source.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "proto/limits.hpp"
#include "tests/support/private_folder.hpp"
#include "tests/support/test_node.hpp"

namespace cobus::client {
namespace {

Task<> drain(Self /*self*/, MapSource* source, std::vector<MapInput>* into) {
  while (std::optional<MapInput> input = co_await source->next()) into->push_back(std::move(*input));
}

class MapSourceTest : public TestNode {
 protected:
  // All requests of `text`, as a pipe brings them.
  std::vector<MapInput> lines(const std::string& text) { return requests(text, Framing::lines); }
  std::vector<MapInput> values(const std::string& text) { return requests(text, Framing::values); }
  std::vector<MapInput> requests(const std::string& text, Framing framing) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    EXPECT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(ends[1]);
    MapSource source(ends[0], "pipe", framing);
    std::vector<MapInput> all;
    spawn(&drain, &source, &all);
    EXPECT_TRUE(source.status().ok());
    return all;
  }
};

std::vector<std::string> texts(const std::vector<MapInput>& all) {
  std::vector<std::string> texts;
  for (const MapInput& input : all) texts.push_back(input.text);
  return texts;
}

TEST_F(MapSourceTest, ValuesTakeSeveralLinesOrStandOnOne) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(texts(values("{\"a\":1}\n{\"b\":2}\n")), (Texts{"{\"a\":1}", "{\"b\":2}"}));
  EXPECT_EQ(texts(values("{\"a\":1}{\"b\":[2,{}]} {}")), (Texts{"{\"a\":1}", "{\"b\":[2,{}]}", "{}"}));
  EXPECT_EQ(texts(values("{\n  \"a\": \"}\\\"{\"\n}\n\n[\n1]\n")),
            (Texts{"{\n  \"a\": \"}\\\"{\"\n}", "[\n1]"}));
  EXPECT_EQ(texts(values("")), Texts());
  EXPECT_EQ(texts(values(" \n\n")), Texts());
}

TEST_F(MapSourceTest, ValuesAreNamedByTheLineThatTheyBeginOn) {
  const auto all = values("\n{\n}\n\n{}{}\n{");
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].line, 2U);
  EXPECT_EQ(all[1].line, 5U);
  EXPECT_EQ(all[2].line, 5U);
  EXPECT_EQ(all[3].line, 6U);
  EXPECT_EQ(all[3].text, "{") << "whoever reads it says what is wrong";
}

TEST_F(MapSourceTest, WhatIsNoValueIsALine) {
  const auto all = values("{} what\nnext\n{}");
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[1].text, "what\n");
  EXPECT_EQ(all[1].line, 1U);
  EXPECT_EQ(all[2].line, 2U);
}

TEST_F(MapSourceTest, EachLineIsARequest) {
  const auto all = lines("{\"a\":1}\n{\"b\":2}\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].sequence, 1U);
  EXPECT_EQ(all[0].text, "{\"a\":1}");
  EXPECT_EQ(all[1].sequence, 2U);
}

TEST_F(MapSourceTest, TheLastLineNeedsNoEnd) { EXPECT_EQ(lines("{}\n{\"b\":2}").back().text, "{\"b\":2}"); }

TEST_F(MapSourceTest, BlankLinesAndCarriageReturnsAreNoRequests) {
  const auto all = lines("\n  \r\n{}\r\n\n");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].text, "{}");
  EXPECT_EQ(all[0].sequence, 1U);
  EXPECT_EQ(all[0].line, 3U) << "lines are counted as an editor does";
}

TEST_F(MapSourceTest, ALineThatIsTooLongIsOneBadRequestAndTheNextIsRead) {
  const PrivateFolder folder;
  const std::string file = folder.path() / "requests.jsonl";
  std::ofstream(file) << std::string(7 * limits::payload_bytes_max, 'x') << "\n{}\n";
  MapSource source(::open(file.c_str(), O_RDONLY | O_CLOEXEC), file);
  std::vector<MapInput> all;
  spawn(&drain, &source, &all);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].unusable.code(), Code::invalid_argument);
  EXPECT_EQ(all[1].text, "{}");
  EXPECT_EQ(all[1].sequence, 2U);
}

TEST_F(MapSourceTest, CountsARegularFileWithoutReadingItAway) {
  const PrivateFolder folder;
  const std::string file = folder.path() / "requests.jsonl";
  std::ofstream(file) << "{}\n\n{}\n{}";
  MapSource source(::open(file.c_str(), O_RDONLY | O_CLOEXEC), file);
  EXPECT_EQ(source.count(), 3U);
  std::vector<MapInput> all;
  spawn(&drain, &source, &all);
  EXPECT_EQ(all.size(), 3U);
}

TEST_F(MapSourceTest, APipeCannotBeCounted) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  EXPECT_EQ(MapSource(ends[0], "pipe").count(), std::nullopt);
  ::close(ends[1]);
}

TEST_F(MapSourceTest, AFolderSaysWhyItCannotBeRead) {
  MapSource source(::open(testing::TempDir().c_str(), O_RDONLY | O_CLOEXEC), "folder");
  std::vector<MapInput> all;
  spawn(&drain, &source, &all);
  EXPECT_TRUE(all.empty());
  EXPECT_NE(source.status().message().find("folder: Is a directory"), std::string::npos);
}

TEST_F(MapSourceTest, WhatIsKnownComesInItsOrderUntilItIsCancelled) {
  MapSource source({{4, true, "a", {}}, {9, true, "b", {}}});
  EXPECT_EQ(source.count(), 2U);
  std::vector<MapInput> all;
  spawn(&drain, &source, &all);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].sequence, 9U);
  MapSource cancelled({{1, true, "a", {}}});
  cancelled.cancel();
  all.clear();
  spawn(&drain, &cancelled, &all);
  EXPECT_TRUE(all.empty());
}

}  // namespace
}  // namespace cobus::client
