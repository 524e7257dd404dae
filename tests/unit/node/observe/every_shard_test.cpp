// SPDX-License-Identifier: Apache-2.0
#include "node/observe/every_shard.hpp"

#include <gtest/gtest.h>

#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using std::chrono::seconds;
using Given = std::vector<std::optional<unsigned>>;

Task<unsigned> which_shard(Self self, unsigned offset) {
  co_await yield();
  co_return self.worker().home().shard().index() + offset;
}

Task<> ask(Self self, Given* into) {
  const std::vector<unsigned> all = every_shard(self.node());
  *into = co_await on_shards(self, all, seconds(2), &which_shard, 10U);
}

class EveryShard : public TestNode {
 protected:
  EveryShard() : TestNode(3) {}
  ~EveryShard() override { node_.reset(); }
  void ask_from_shard_0(Given* into) {
    node_->run_on(0, [into](Home& home) {
      auto entry = &ask;
      home.spawn("test", entry, into);
    });
  }
};

TEST_F(EveryShard, GivesWhatEachGave) {
  Given given;
  ask_from_shard_0(&given);
  step();
  EXPECT_EQ(given, (Given{10U, 11U, 12U}));
  EXPECT_EQ(workers(), 0U);
}

TEST_F(EveryShard, GoesOnWithoutThoseThatDoNotAnswer) {
  Given given;
  ask_from_shard_0(&given);
  // The others are held.
  const auto turn = [this] {
    while (node_->home(0).shard().turn()) {
    }
  };
  turn();
  network_.clock().advance(seconds(1));
  turn();
  EXPECT_TRUE(given.empty());
  network_.clock().advance(seconds(2));
  turn();
  EXPECT_EQ(given, (Given{10U, std::nullopt, std::nullopt}));
  step();  // what they say now finds nobody
  EXPECT_EQ(workers(), 0U);
}

}  // namespace
}  // namespace cobus
