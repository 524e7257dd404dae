// SPDX-License-Identifier: Apache-2.0
#include "client/cli/worker_tree_json.hpp"

#include <gtest/gtest.h>

#include "proto/address.hpp"

namespace cobus::client {
namespace {

void add(v1::TreeReply& reply, std::uint32_t depth, const char* kind, std::uint32_t index) {
  v1::TreeLine& line = *reply.add_lines();
  line.set_depth(depth);
  line.set_kind(kind);
  line.set_count(index == 0 ? 12 : 1);
  if (index != 0) line.set_worker(WorkerId::make(0, index, 1).value);
}

v1::TreeReply sample() {
  v1::TreeReply reply;
  reply.set_workers(20);
  reply.set_left_out(4);
  add(reply, 0, "app", 1);
  reply.mutable_lines(0)->mutable_supervision()->set_strategy("one_for_one");
  add(reply, 1, "store", 2);
  reply.mutable_lines(1)->set_child("db");
  reply.mutable_lines(1)->set_restarts(2);
  add(reply, 2, "reader", 3);
  add(reply, 1, "cache", 4);
  reply.mutable_lines(3)->set_name("cache");
  add(reply, 0, "echo.Echo/Echo", 0);
  return reply;
}

TEST(WorkerTreeJson, IsNestedAsTheWorkersAre) {
  const Json tree = tree_json("alpha", sample());
  EXPECT_EQ(tree["workers"], 20);
  ASSERT_EQ(tree["children"].size(), 2U);
  const Json& app = tree["children"][0];
  EXPECT_EQ(app["address"], "alpha/0.1.1");
  EXPECT_EQ(app["supervises"]["strategy"], "one_for_one");
  ASSERT_EQ(app["children"].size(), 2U);
  EXPECT_EQ(app["children"][0]["child"], "db");
  EXPECT_EQ(app["children"][0]["children"][0]["kind"], "reader");
  EXPECT_TRUE(tree["children"][1]["address"].is_null());
  EXPECT_EQ(tree["children"][1]["count"], 12);
}

TEST(WorkerTreeJson, IsDrawnWithBranches) {
  const std::vector<std::string> drawn = tree_lines("alpha", sample(), true);
  EXPECT_EQ(drawn, (std::vector<std::string>{
                       "alpha  20 workers",
                       "├─ app  alpha/0.1.1  supervises one_for_one, 0 restarts, ends above 0 in 0ms",
                       "│  ├─ db: store  alpha/0.2.1  started again 2 times",
                       "│  │  └─ reader  alpha/0.3.1",
                       "│  └─ cache  alpha/0.4.1  'cache'",
                       "└─ 12 × echo.Echo/Echo",
                       "and 4 workers more",
                   }));
  EXPECT_EQ(tree_lines("alpha", sample(), false)[3], "|  |  `- reader  alpha/0.3.1");
}

TEST(WorkerTreeJson, ANodeWithoutWorkersIsALine) {
  EXPECT_EQ(tree_lines("alpha", v1::TreeReply(), true), std::vector<std::string>{"alpha  0 workers"});
}

}  // namespace
}  // namespace cobus::client
