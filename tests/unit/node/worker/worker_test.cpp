// SPDX-License-Identifier: Apache-2.0
#include "node/worker/worker.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "echo.cobus.h"
#include "node/worker/self.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/test_node.hpp"
#include "text.cobus.h"

namespace cobus {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

class WorkerTest : public TestNode {};
class ManyShards : public TestNode {
 protected:
  ManyShards() : TestNode(3) {}
};

Task<> collect(Self self, int count, std::vector<std::string>* heard) {
  for (int i = 0; i < count; ++i) {
    auto message = co_await self.receive<EchoRequest>();
    if (!message) co_return;
    heard->push_back((*message)->text());
  }
}

Task<> speak(Self self, Address to, int count) {
  for (int i = 0; i < count; ++i) EXPECT_TRUE((co_await self.send(to, say(std::to_string(i)))).ok());
}

TEST_F(WorkerTest, M1_MessagesFromOneSenderArriveInOrder) {
  std::vector<std::string> heard;
  spawn(
      [](Self self, std::vector<std::string>* into) -> Task<> {
        const Address listener = self.spawn("listener", &collect, 100, into);
        self.spawn("speaker", &speak, listener, 100);
        co_return;
      },
      &heard);
  ASSERT_EQ(heard.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(heard[static_cast<std::size_t>(i)], std::to_string(i));
  EXPECT_EQ(workers(), 0U);
}

TEST_F(ManyShards, M1_MessagesAcrossShardsArriveInOrder) {
  std::vector<std::string> heard;
  Address listener;
  spawn(
      [](Self self, Address* address, std::vector<std::string>* into) -> Task<> {
        *address = self.address();
        co_await collect(self, 1000, into);
      },
      &listener, &heard);
  spawn(&speak, listener, 1000);
  ASSERT_EQ(heard.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(heard[static_cast<std::size_t>(i)], std::to_string(i));
}

TEST_F(WorkerTest, ReceiveTakesTheAwaitedTypeAndLeavesTheRestInOrder) {
  std::vector<std::string> heard;
  spawn(
      [](Self self, std::vector<std::string>* into) -> Task<> {
        EXPECT_TRUE(self.try_send(self.address(), say("first")).ok());
        EchoReply reply;
        reply.set_text("wanted");
        EXPECT_TRUE(self.try_send(self.address(), reply).ok());
        EXPECT_TRUE(self.try_send(self.address(), say("second")).ok());
        auto wanted = co_await self.receive<EchoReply>();
        into->push_back((*wanted)->text());
        for (int i = 0; i < 2; ++i) {
          auto any = co_await self.receive<EchoReply, EchoRequest>();
          into->push_back(any->as<EchoRequest>()->text());
        }
      },
      &heard);
  EXPECT_EQ(heard, (std::vector<std::string>{"wanted", "first", "second"}));
}

TEST_F(WorkerTest, ReceiveGivesUpAfterItsTimeout) {
  Status status;
  spawn(
      [](Self self, Status* into) -> Task<> {
        auto message = co_await self.receive<EchoRequest>(seconds(1));
        *into = message ? Status() : message.error();
      },
      &status);
  advance(milliseconds(900));
  EXPECT_TRUE(status.ok());
  advance(milliseconds(200));
  EXPECT_EQ(status.code(), Code::deadline_exceeded);
}

TEST_F(WorkerTest, AMessageToAWorkerThatIsGoneIsCounted) {
  spawn([](Self self) -> Task<> {
    const Address gone = self.spawn("short", +[](Self) -> Task<> { co_return; });
    co_await yield();
    co_await yield();
    const Status sent = co_await self.send(gone, say("hello?"));
    EXPECT_EQ(sent.code(), Code::not_found);
  });
  EXPECT_EQ(node_->dead_letters().total(), 1U);
}

TEST_F(WorkerTest, M5_AFullMailboxTakesNoMore) {
  spawn([](Self self) -> Task<> {
    for (std::size_t i = 0; i < limits::mailbox_messages_max; ++i)
      EXPECT_TRUE(self.try_send(self.address(), say("x")).ok());
    EXPECT_EQ(self.try_send(self.address(), say("x")).code(), Code::resource_exhausted);
    const Status sent = co_await self.send(self.address(), say("x"));
    EXPECT_EQ(sent.code(), Code::resource_exhausted);
    EXPECT_EQ(self.worker().mailbox.size(), limits::mailbox_messages_max);
  });
}

TEST_F(WorkerTest, W5_AnExceptionEndsOnlyItsWorker) {
  bool other_ended = false;
  spawn(
      [](Self self, bool* ended) -> Task<> {
        self.spawn(
            "thrower", +[](Self) -> Task<> {
              throw std::runtime_error("a bug of its author");
              co_return;
            });
        EXPECT_TRUE((co_await sleep(milliseconds(5))).ok());
        *ended = true;
      },
      &other_ended);
  advance(milliseconds(10));
  EXPECT_TRUE(other_ended);
  EXPECT_EQ(workers(), 0U);
}

TEST_F(WorkerTest, AStoppedWorkerHearsItAtItsWait) {
  Status status;
  spawn(
      [](Self self, Status* into) -> Task<> {
        auto message = co_await self.receive<EchoRequest>();
        *into = message ? Status() : message.error();
      },
      &status);
  node_->home(0).stop_all();
  step();
  EXPECT_EQ(status.code(), Code::cancelled);
}

}  // namespace
}  // namespace cobus
