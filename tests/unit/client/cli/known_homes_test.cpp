// SPDX-License-Identifier: Apache-2.0
#include "client/cli/known_homes.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "node/link/identity.hpp"

namespace cobus::client {
namespace {

constexpr std::int64_t now_us = 1'772'352'930'000'000;
constexpr std::int64_t day_us = 24LL * 3600 * 1'000'000;

class KnownHomesTest : public testing::Test {
 protected:
  KnownHomesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "cobus-homes.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    belongs_to("one");
  }
  ~KnownHomesTest() override { std::filesystem::remove_all(folder_); }
  void belongs_to(const std::string& cluster) const {
    ASSERT_TRUE(link::write_private_file(folder_ / "cluster.pub", cluster + '\n').ok());
  }
  [[nodiscard]] std::vector<std::string> away(const std::vector<std::string>& here,
                                              std::int64_t at_us) const {
    std::vector<std::string> names;
    for (const auto& home : KnownHomes(folder_).update(here, at_us)) names.push_back(home.name);
    return names;
  }
  std::filesystem::path folder_;
};

using Names = std::vector<std::string>;

TEST_F(KnownHomesTest, WhoWasThereAndIsNotIsNamed) {
  EXPECT_EQ(away({"alpha", "beta"}, now_us), Names());
  EXPECT_EQ(away({"alpha"}, now_us + 1), Names{"beta"});
  EXPECT_EQ(away({"alpha", "beta"}, now_us + 2), Names());
}

TEST_F(KnownHomesTest, AfterAWeekItIsForgotten) {
  EXPECT_EQ(away({"alpha", "beta"}, now_us), Names());
  EXPECT_EQ(away({"alpha"}, now_us + 6 * day_us), Names{"beta"});
  EXPECT_EQ(away({"alpha"}, now_us + 8 * day_us), Names());
}

TEST_F(KnownHomesTest, AnotherClusterHasHomesOfItsOwn) {
  EXPECT_EQ(away({"alpha"}, now_us), Names());
  belongs_to("two");
  EXPECT_EQ(away({"beta"}, now_us), Names());
}

TEST_F(KnownHomesTest, WithoutAFolderNothingIsKnown) {
  EXPECT_TRUE(KnownHomes("/no/such/folder").update({"alpha"}, now_us).empty());
}

}  // namespace
}  // namespace cobus::client
