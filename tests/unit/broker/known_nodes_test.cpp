// SPDX-License-Identifier: Apache-2.0
#include "broker/known_nodes.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/private_folder.hpp"

namespace cobus::broker {
namespace {

using Names = std::vector<std::string>;

TEST(KnownNodes, KeepTheNamesForTheNextLife) {
  const PrivateFolder folder;
  EXPECT_EQ(KnownNodes(folder.path() / "nodes").load(), Names{});
  ASSERT_TRUE(KnownNodes(folder.path() / "nodes").save({"alpha", "beta"}).ok());
  EXPECT_EQ(KnownNodes(folder.path() / "nodes").load(), (Names{"alpha", "beta"}));
  struct stat facts{};
  ASSERT_EQ(::stat((folder.path() / "nodes").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  ASSERT_TRUE(KnownNodes(folder.path() / "nodes").save({}).ok());
  EXPECT_EQ(KnownNodes(folder.path() / "nodes").load(), Names{});
}

TEST(KnownNodes, TakeNothingThatIsNoNameFromADamagedFile) {
  const PrivateFolder folder;
  ASSERT_TRUE(KnownNodes(folder.path() / "nodes").save({"alpha"}).ok());
  std::ofstream(folder.path() / "nodes", std::ios::app) << "\x01\x02\n\nbe ta\ngamma\n";
  EXPECT_EQ(KnownNodes(folder.path() / "nodes").load(), (Names{"alpha", "gamma"}));
}

TEST(KnownNodes, SayWhyTheyCannotBeKept) {
  EXPECT_EQ(KnownNodes("/no/such/folder/nodes").save({"alpha"}).code(), Code::unavailable);
}

}  // namespace
}  // namespace cobus::broker
