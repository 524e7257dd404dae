// SPDX-License-Identifier: Apache-2.0
//
// A node's folder: one process at a time, and no ledger left behind because the host has another name.
#include "node/daemon/node_folder.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "node/link/identity.hpp"
#include "tests/support/private_folder.hpp"

namespace cobus::daemon {
namespace {

namespace fs = std::filesystem;

class NodeFolders : public ::testing::Test {
 protected:
  fs::path folder(const std::string& name) const { return state_.path() / "nodes" / name; }
  // A node that is called after its host starts, and ends with a ledger.
  void run_as(const std::string& host) const {
    auto node = NodeFolder::open(folder(host));
    ASSERT_TRUE(node) << node.error().message();
    ASSERT_TRUE(node->check_host_name().ok());
    std::ofstream(folder(host) / "ledger.db") << "jobs";
  }
  Status start_as(const std::string& host) const {
    auto node = NodeFolder::open(folder(host));
    return node ? node->check_host_name() : node.error();
  }
  PrivateFolder state_;
};

TEST_F(NodeFolders, BelongsToOneProcess) {
  auto first = NodeFolder::open(folder("alpha"));
  ASSERT_TRUE(first) << first.error().message();
  auto second = NodeFolder::open(folder("alpha"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::unavailable);
  EXPECT_NE(second.error().message().find("in use by process " + std::to_string(::getpid())),
            std::string::npos)
      << second.error().message();
  EXPECT_TRUE(NodeFolder::open(folder("beta")));
}

TEST_F(NodeFolders, HostThatWasRenamedLeavesNoLedgerBehind) {
  run_as("old");
  run_as("old");  // again, under the same name
  const Status refused = start_as("new");
  EXPECT_EQ(refused.code(), Code::failed_precondition);
  for (const char* word : {"--name old", "--name new", "nodes/old"})
    EXPECT_NE(refused.message().find(word), std::string::npos) << refused.message();
  EXPECT_FALSE(start_as("new").ok()) << "as often as it is tried";
  run_as("old");
}

TEST_F(NodeFolders, RenamedHostStartsAnewWhenNothingIsLeftBehind) {
  run_as("old");
  {
    const auto running = NodeFolder::open(folder("old"));
    EXPECT_TRUE(start_as("beside").ok()) << "old runs, on another host of this folder perhaps";
  }
  run_as("old");
  EXPECT_FALSE(start_as("new").ok());
  fs::remove(folder("old") / "ledger.db");
  EXPECT_TRUE(start_as("new").ok());
}

TEST_F(NodeFolders, NodeWithItsOwnLedgerStarts) {
  run_as("new");
  run_as("new");
  fs::create_directories(folder("old"));
  std::ofstream(folder("old") / "ledger.db") << "jobs";  // of a node that was started with --name
  EXPECT_TRUE(start_as("new").ok());
}

}  // namespace
}  // namespace cobus::daemon
