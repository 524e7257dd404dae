// SPDX-License-Identifier: Apache-2.0
//
// Join strings: what people paste, whole, cut or mistyped.
#include "node/link/join_string.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace cobus::link {
namespace {

const ClusterKey& cluster() {
  static const ClusterKey key = ClusterSecret::make().key();
  return key;
}

std::string cluster_part() { return "?cluster=" + fingerprint(cluster()); }

TEST(JoinString, ComesBackFromItsText) {
  const JoinString join{{"broker.example.org:7700", "10.0.0.7:7701", "[::1]:7702"}, cluster(), "sesame-1_2"};
  const auto parsed = parse_join_string(join.to_string());
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->brokers, join.brokers);
  EXPECT_EQ(parsed->cluster, join.cluster);
  EXPECT_EQ(parsed->token, join.token);
}

TEST(JoinString, NeedsNoTokenAndIgnoresSpaceAroundIt) {
  const auto parsed = parse_join_string("  cobus://h:1" + cluster_part() + "\n");
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->token, "");
  EXPECT_EQ(parsed->to_string(), "cobus://h:1" + cluster_part());
}

TEST(JoinString, SaysWhatIsWrongAndHowItShouldLook) {
  const std::pair<std::string, std::string> wrong[] = {
      {"", "does not begin with cobus://"},
      {"http://h:1" + cluster_part(), "does not begin with cobus://"},
      {"cobus://" + cluster_part(), "'' is not HOST:PORT"},
      {"cobus://h" + cluster_part(), "'h' is not HOST:PORT"},
      {"cobus://h:0" + cluster_part(), "'h:0' is not HOST:PORT"},
      {"cobus://h:65536" + cluster_part(), "'h:65536' is not HOST:PORT"},
      {"cobus://h:1,:2" + cluster_part(), "':2' is not HOST:PORT"},
      {"cobus://::1:7700" + cluster_part(), "is not HOST:PORT"},
      {"cobus://a b:1" + cluster_part(), "'a b:1' is not HOST:PORT"},
      {"cobus://h:1", "fingerprint is missing"},
      {"cobus://h:1?token=x", "fingerprint is missing"},
      {"cobus://h:1" + cluster_part() + "&toke=x", "a parameter that is neither cluster nor token"},
      {"cobus://h:1" + cluster_part() + "&token=x&token=y", "'token' is given twice"},
      {"cobus://h:1" + cluster_part() + "&token=", "token is malformed"},
  };
  for (const auto& [text, cause] : wrong) {
    const auto parsed = parse_join_string(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code(), Code::invalid_argument);
    EXPECT_NE(parsed.error().message().find(cause), std::string::npos) << parsed.error().message();
    EXPECT_NE(parsed.error().message().find("cobus://HOST:PORT?cluster="), std::string::npos);
  }
  EXPECT_EQ(parse_join_string("cobus://h:1?cluster=abc").error().code(), Code::invalid_argument);
}

TEST(JoinString, KeepsItsTokenOutOfMessagesWhereverItStands) {
  const std::string wrong[] = {
      "cobus://h:1" + cluster_part() + "&token=sek rit",
      "cobus://127.0.0.1:1&token=sekrit",
      "cobus://h:1;token=sekrit" + cluster_part(),
      "cobus://h,token=sekrit:1" + cluster_part(),
      "cobus://h:1" + cluster_part() + "&sekrit",
      "cobus://h:1" + cluster_part() + "&sekrit=token",
      "cobus://h:1?token=a&token=sekrit",
      "cobus://h:1?cluster=sekrit",
      "cobus://h:1" + cluster_part() + ";token=sekrit",
      "@cobus://h:1" + cluster_part() + "&token=sekrit",
  };
  for (const std::string& text : wrong) {
    const auto found = find_join_string(text, {}, "/no/such/state");
    ASSERT_FALSE(found) << text;
    EXPECT_EQ(found.error().code(), Code::invalid_argument) << text;
    EXPECT_EQ(found.error().message().find("sek"), std::string::npos) << found.error().message();
  }
}

class JoinStringFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "cobus-join-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(JoinStringFiles, KeepTheWayBackToAClusterButNotTheToken) {
  const auto given = parse_join_string("cobus://h:1" + cluster_part() + "&token=mzxw6");
  ASSERT_TRUE(given);
  ASSERT_TRUE(keep_join_string(folder_ / "join", *given).ok());
  const auto found = find_join_string("", {folder_ / "absent", folder_ / "join"}, folder_);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->brokers, given->brokers);
  EXPECT_EQ(found->cluster, given->cluster);
  EXPECT_TRUE(found->token.empty());
}

TEST_F(JoinStringFiles, TheFlagComesBeforeFilesAndTheirOrderCounts) {
  JoinString join = *parse_join_string("cobus://first:1" + cluster_part());
  ASSERT_TRUE(keep_join_string(folder_ / "first", join).ok());
  join.brokers = {"second:1"};
  ASSERT_TRUE(keep_join_string(folder_ / "second", join).ok());
  const auto brokers = [this](const std::string& flag) {
    return find_join_string(flag, {folder_ / "first", folder_ / "second"}, folder_)->brokers.front();
  };
  EXPECT_EQ(brokers(""), "first:1");
  EXPECT_EQ(brokers("@" + (folder_ / "second").string()), "second:1");
  EXPECT_EQ(brokers("cobus://flag:1" + cluster_part()), "flag:1");
}

TEST_F(JoinStringFiles, ThatAreNotThereAreAWrongUsageOnlyWhereTheyWereNamed) {
  EXPECT_EQ(find_join_string("@/no/such/file", {}, folder_).error().code(), Code::invalid_argument);
  EXPECT_EQ(find_join_string("", {folder_ / "absent"}, folder_).error().code(), Code::not_found);
}

TEST(Resolve, GivesNumericEndpoints) {
  EXPECT_EQ(*resolve("127.0.0.1:7700"), std::vector<std::string>{"tcp://127.0.0.1:7700"});
  EXPECT_EQ(*resolve("[::1]:7700"), std::vector<std::string>{"tcp://[::1]:7700"});
  const auto local = resolve("localhost:7700");
  ASSERT_TRUE(local) << local.error().message();
  for (const std::string& endpoint : *local) {
    EXPECT_TRUE(endpoint == "tcp://127.0.0.1:7700" || endpoint == "tcp://[::1]:7700") << endpoint;
  }
}

TEST(Resolve, RefusesWhatIsNoHostAndPort) {
  EXPECT_EQ(resolve("127.0.0.1").error().code(), Code::invalid_argument);
  EXPECT_EQ(resolve("localhost:http").error().code(), Code::invalid_argument);
}

TEST(Resolve, NamesTheHostThatCannotBeResolved) {
  EXPECT_EQ(*numeric_endpoints("127.0.0.1:7700"), std::vector<std::string>{"tcp://127.0.0.1:7700"});
  EXPECT_EQ(*numeric_endpoints("[::1]:7700"), std::vector<std::string>{"tcp://[::1]:7700"});
  EXPECT_EQ(numeric_endpoints("localhost:7700").error().code(), Code::not_found) << "a name";
  EXPECT_EQ(numeric_endpoints("127.0.0.1").error().code(), Code::invalid_argument);
  const auto resolved = resolve("no-such-host.invalid:7700");
  ASSERT_FALSE(resolved);
  EXPECT_EQ(resolved.error().code(), Code::unavailable);
  EXPECT_NE(resolved.error().message().find("no-such-host.invalid"), std::string::npos);
}

}  // namespace
}  // namespace cobus::link
