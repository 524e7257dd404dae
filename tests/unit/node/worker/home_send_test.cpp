// SPDX-License-Identifier: Apache-2.0
//
// What leaves a shard: in order, in batches, and not more than the other side has room for.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "node/worker/self.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

Task<> collect(Self self, Address* address, std::vector<std::string>* heard) {
  *address = self.address();
  for (;;) {
    auto message = co_await self.receive<EchoRequest>();
    if (!message) co_return;
    heard->push_back((*message)->text());
  }
}

class OneShard : public TestNode {};
class TwoShards : public TestNode {
 protected:
  TwoShards() : TestNode(2) {}
};

TEST_F(OneShard, M1_ByNameAndByAddressOneOrder) {
  std::vector<std::string> heard;
  Address to;
  spawn(&collect, &to, &heard);
  spawn(
      [](Self self, Address receiver) -> Task<> {
        Worker* const named = self.worker().home().find(receiver.worker);
        EXPECT_TRUE(Self(*named).register_name("collector").ok());
        for (int i = 0; i < 100; ++i) {
          EXPECT_TRUE(
              self.send_to_name(self.node().id(), "collector", say("name " + std::to_string(i))).ok());
          EXPECT_TRUE(self.try_send(receiver, say("address " + std::to_string(i))).ok());
        }
        co_return;
      },
      to);
  ASSERT_EQ(heard.size(), 200U);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(heard[2 * i], "name " + std::to_string(i));
    EXPECT_EQ(heard[2 * i + 1], "address " + std::to_string(i));
  }
}

TEST_F(TwoShards, M1_AnotherShardGetsBatchesInOrder) {
  std::vector<std::string> heard;
  Address to;
  spawn_on(1, &collect, &to, &heard);
  spawn_on(
      0,
      +[](Self self, Address receiver) -> Task<> {
        for (int i = 0; i < 1000; ++i)
          EXPECT_TRUE((co_await self.send(receiver, say(std::to_string(i)))).ok());
      },
      to);
  step();
  ASSERT_EQ(heard.size(), 1000U);
  for (std::size_t i = 0; i < heard.size(); ++i) EXPECT_EQ(heard[i], std::to_string(i));
  EXPECT_EQ(node_->home(1).inbound_bytes(), 0U) << "what was taken in is not counted any more";
}

// 64 MiB for a shard that does not come to its inbox, and not more.
TEST_F(TwoShards, M5_AShardThatIsBehindMakesSendersOfOtherShardsWait) {
  std::vector<std::string> heard;
  Address to;
  spawn_on(1, &collect, &to, &heard);
  std::optional<Code> refused;
  int sent = 0;
  bool waited = false;
  spawn_on(
      0,
      +[](Self self, Address receiver, std::optional<Code>* code, int* count, bool* done) -> Task<> {
        const std::string text(10'000, 'x');
        for (; *count < 10'000; ++*count) {
          const Status status = self.try_send(receiver, say(text));
          if (status.ok()) continue;
          *code = status.code();
          break;
        }
        EXPECT_TRUE((co_await self.send(receiver, say("the last"))).ok());
        *done = true;
      },
      to, &refused, &sent, &waited);
  EXPECT_EQ(refused.value_or(Code::ok), Code::resource_exhausted);
  EXPECT_GT(sent, 6000);
  EXPECT_LT(sent, 6800);
  advance(milliseconds(2));
  advance(milliseconds(2));
  EXPECT_TRUE(waited);
  EXPECT_EQ(heard.empty() ? "" : heard.back(), "the last");
}

TEST_F(TwoShards, NewWorkIsSpreadAlsoInOneBurst) {
  int ran = 0;
  for (int i = 0; i < 1000; ++i)
    node_->spawn(
        "burst",
        +[](Self, int* count) -> Task<> {
          ++*count;
          static_cast<void>(co_await sleep(std::chrono::seconds(1)));
        },
        &ran);
  step();
  EXPECT_EQ(ran, 1000);
  EXPECT_EQ(node_->home(0).workers(), 500U);
  EXPECT_EQ(node_->home(1).workers(), 500U);
}

TEST_F(OneShard, ASendThatIsAwaitedAfterItsReceiverEndedSaysSo) {
  std::optional<Code> code;
  spawn(
      [](Self self, std::optional<Code>* into) -> Task<> {
        const Address to = self.spawn(
            "short", +[](Self its) -> Task<> {
              MailboxLimits limits;
              limits.messages = 1;
              its.limit_mailbox(limits);
              static_cast<void>(co_await sleep(milliseconds(1)));
            });
        co_await yield();
        EXPECT_TRUE(self.try_send(to, say("fills it")).ok());
        auto pending = self.send(to, say("finds no room"));
        static_cast<void>(co_await sleep(milliseconds(10)));
        *into = (co_await pending).code();
      },
      &code);
  for (int i = 0; i < 20; ++i) advance(milliseconds(1));
  EXPECT_EQ(code.value_or(Code::ok), Code::not_found);
}

TEST_F(OneShard, M3_WhatAWorkerDidNotReadBeforeItEndedIsADeadLetter) {
  Address to;
  spawn(
      [](Self self, Address* address) -> Task<> {
        *address = self.address();
        static_cast<void>(co_await sleep(milliseconds(1)));
      },
      &to);
  spawn(
      [](Self self, Address receiver) -> Task<> {
        for (int i = 0; i < 3; ++i) EXPECT_TRUE(self.try_send(receiver, say("unread")).ok());
        co_return;
      },
      to);
  advance(milliseconds(5));
  EXPECT_EQ(node_->dead_letters().count(DeadLetter::unread), 3U);
}

// Whoever finds everything ready has the shard for its share of a turn, and no longer.
TEST_F(OneShard, W1_AWorkerThatNeverHasToWaitLetsOthersRun) {
  int rounds = 0;
  std::vector<int> seen;
  spawn(
      [](Self self, int* count, std::vector<int>* at) -> Task<> {
        self.spawn(
            "neighbour",
            +[](Self, const int* looked_at, std::vector<int>* into) -> Task<> {
              for (int i = 0; i < 10; ++i) {
                into->push_back(*looked_at);
                co_await yield();
              }
            },
            count, at);
        for (; *count < 10'000; ++*count) {
          EXPECT_TRUE((co_await self.send(self.address(), say("to myself"))).ok());
          static_cast<void>(co_await self.receive<EchoRequest>());
        }
      },
      &rounds, &seen);
  ASSERT_EQ(seen.size(), 10U);
  for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_LE(seen[i] - seen[i - 1], 128);
  EXPECT_EQ(rounds, 10'000);
}

// What one worker sees of messages of that size that it sends to a node that cannot be reached.
struct LargeSends {
  std::vector<Status> sent;
  std::vector<std::size_t> waiting;  // bytes at its shard behind each
  Code tried = Code::ok;
};

Task<> send_large(Self self, std::size_t size, int count, LargeSends* seen) {
  const EchoRequest message = say(std::string(size, 'x'));
  const Address to{NodeId{77}, WorkerId{5}};
  for (int i = 0; i < count; ++i) {
    seen->sent.push_back(co_await self.send(to, message));
    seen->waiting.push_back(self.worker().home().held().outgoing_bytes);
    if (i == 0) seen->tried = self.try_send(to, message).code();
  }
}

TEST_F(OneShard, LargeMessagesToAnotherNodeGoOneAfterTheOther) {
  constexpr std::size_t size = std::size_t{5} * 1024 * 1024;
  LargeSends seen;
  spawn(&send_large, size, 3, &seen);
  for (int i = 0; i < 100 && seen.sent.size() < 3; ++i) advance(milliseconds(1));
  ASSERT_EQ(seen.sent.size(), 3U);
  for (const Status& status : seen.sent) EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(seen.tried, Code::resource_exhausted) << "one waits already";
  for (const std::size_t bytes : seen.waiting) {
    EXPECT_GE(bytes, size) << "it was written out at once";
    EXPECT_LT(bytes, 2 * size) << "and the next only when that was gone";
  }
  advance(seconds(1));
  EXPECT_EQ(node_->home(0).held().outgoing_bytes, 0U);
  EXPECT_EQ(node_->dead_letters().count(DeadLetter::not_delivered), 3U);
  EXPECT_EQ(node_->dead_letters().total(), 3U);
}

TEST_F(OneShard, AMessageToAnotherNodeThatIsTooLargeIsRefused) {
  LargeSends seen;
  spawn(&send_large, limits::message_bytes_max, 1, &seen);
  ASSERT_EQ(seen.sent.size(), 1U);
  EXPECT_EQ(seen.sent[0].code(), Code::out_of_range);
  EXPECT_EQ(seen.tried, Code::out_of_range);
  EXPECT_EQ(seen.waiting[0], 0U);
  EXPECT_EQ(node_->dead_letters().total(), 0U);
}

}  // namespace
}  // namespace cobus
