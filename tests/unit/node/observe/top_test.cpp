// SPDX-License-Identifier: Apache-2.0
#include "node/observe/top.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "echo.cobus.h"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Takes what it is sent; the other type piles up.
Task<> take(Self self) {
  while (co_await self.receive<EchoRequest>()) {
  }
}

Task<> look(Self self, TopQuery query, std::optional<v1::TopReply>* into) {
  *into = co_await top_of_shard(self, query);
}

class TopTest : public TestNode {
 protected:
  ~TopTest() override { node_.reset(); }
  // Two addresses of workers of the kind "taker".
  std::vector<Address> takers(std::size_t count) {
    std::vector<Address> made;
    spawn(
        [](Self self, std::size_t how_many, std::vector<Address>* into) -> Task<> {
          for (std::size_t i = 0; i < how_many; ++i) into->push_back(self.spawn("taker", &take));
          co_return;
        },
        count, &made);
    return made;
  }
  template <class Message>
  void send(Address to, int count) {
    spawn(
        [](Self self, Address receiver, int times) -> Task<> {
          for (int i = 0; i < times; ++i) static_cast<void>(self.try_send(receiver, Message()));
          co_return;
        },
        to, count);
  }
  // Without a window.
  v1::TopReply look_now(v1::TopOrder order, std::size_t limit) {
    std::optional<v1::TopReply> reply;
    spawn(&look, TopQuery{order, limit, Duration(0)}, &reply);
    return reply.value_or(v1::TopReply());
  }
};

TEST_F(TopTest, TheFullestMailboxStandsFirst) {
  const auto made = takers(3);
  send<EchoReply>(made[1], 5);
  send<EchoReply>(made[2], 2);
  const v1::TopReply reply = look_now(v1::BY_MAILBOX, 2);
  ASSERT_EQ(reply.rows_size(), 2);
  EXPECT_EQ(reply.rows(0).worker(), made[1].worker.value);
  EXPECT_EQ(reply.rows(0).mailbox_messages(), 5U);
  EXPECT_GT(reply.rows(0).mailbox_bytes(), 0U);
  EXPECT_EQ(reply.rows(0).state(), v1::WORKER_RECEIVING);
  EXPECT_EQ(reply.rows(0).kind(), "taker");
  EXPECT_EQ(reply.rows(1).worker(), made[2].worker.value);
  EXPECT_EQ(reply.workers(), 4U) << "the three, and who looks";
}

TEST_F(TopTest, MessagesAreThoseOfTheWindow) {
  const auto made = takers(2);
  send<EchoRequest>(made[0], 100);
  std::optional<v1::TopReply> reply;
  spawn(&look, TopQuery{v1::BY_MESSAGES, 1, seconds(1)}, &reply);
  advance(milliseconds(500));
  EXPECT_FALSE(reply.has_value());
  send<EchoRequest>(made[1], 7);
  advance(milliseconds(600));
  ASSERT_TRUE(reply.has_value());
  ASSERT_EQ(reply->rows_size(), 1);
  EXPECT_EQ(reply->rows(0).worker(), made[1].worker.value);
  EXPECT_EQ(reply->rows(0).received(), 7U);
  EXPECT_EQ(reply->rows(0).received_in_window(), 7U);
  EXPECT_GE(reply->window_us(), 1'000'000U);
}

TEST_F(TopTest, OfEqualsTheFirstIsListed) {
  const auto made = takers(50);
  const v1::TopReply reply = look_now(v1::BY_MESSAGES, 3);
  ASSERT_EQ(reply.rows_size(), 3);
  EXPECT_EQ(reply.rows(0).worker(), made[0].worker.value);
  EXPECT_EQ(reply.rows(2).worker(), made[2].worker.value);
}

TEST_F(TopTest, OthersRunWhileManyWorkersAreLookedAt) {
  takers(20'000);
  int turns = 0;
  std::optional<v1::TopReply> reply;
  node_->spawn(
      "test",
      +[](Self, int* into, std::optional<v1::TopReply>* until) -> Task<> {
        for (; !until->has_value(); ++*into) co_await yield();
      },
      &turns, &reply);
  spawn(&look, TopQuery{v1::BY_MAILBOX, 1, Duration(0)}, &reply);
  EXPECT_GE(turns, 20);
  EXPECT_EQ(reply->workers(), 20'002U);
}

TEST(MergeTop, KeepsTheHighestOfAllShards) {
  const TopQuery query{v1::BY_MAILBOX, 2, Duration(0)};
  v1::TopReply merged;
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    v1::TopReply reply;
    reply.set_workers(10);
    v1::WorkerRow& row = *reply.add_rows();
    row.set_worker(shard + 1);
    row.set_mailbox_messages(shard);
    merge_top(merged, std::move(reply), query);
  }
  ASSERT_EQ(merged.rows_size(), 2);
  EXPECT_EQ(merged.rows(0).worker(), 3U);
  EXPECT_EQ(merged.rows(1).worker(), 2U);
  EXPECT_EQ(merged.workers(), 30U);
}

}  // namespace
}  // namespace cobus
