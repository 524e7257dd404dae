// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/channel.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "node/runtime/all.hpp"
#include "node/runtime/scope.hpp"
#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using Numbers = Channel<int>;

Task<> send_all(Numbers* channel, int from, int to) {
  for (int i = from; i <= to; ++i) {
    if (!(co_await channel->send(i)).ok()) co_return;
  }
}
Task<Code> receive_all(Numbers* channel, std::vector<int>* into) {
  for (;;) {
    Result<int> item = co_await channel->receive();
    if (!item) co_return item.error().code();
    into->push_back(*item);
  }
}
Task<> receive_one(Numbers* channel, char name, std::string* log) {
  Result<int> item = co_await channel->receive();
  *log += name + (item ? std::to_string(*item) : "-");
}
Task<> send_one(Numbers* channel, int item, std::string* log) {
  Status status = co_await channel->send(item);
  *log += std::to_string(item) + (status.ok() ? "+" : "-");
}

class ChannelTest : public StrandFixture {
 protected:
  // Children that can each be ended alone.
  template <class T>
  std::unique_ptr<Scope> begin(Task<T> task) {
    auto scope = std::make_unique<Scope>();
    start([](Scope* in, Task<T> child) -> Task<> {
      in->spawn(std::move(child));
      co_return;
    }(scope.get(), std::move(task)));
    turn();
    drop();
    return scope;
  }

  Numbers channel_{2};
  std::string log_;
};

TEST_F(ChannelTest, GivesItemsInTheOrderOfSending) {
  std::vector<int> got;
  Code end = Code::ok;
  start([](Numbers* channel, std::vector<int>* into, Code* how) -> Task<> {
    Scope scope;
    scope.spawn(send_all(channel, 1, 20));
    scope.spawn([](Numbers* from, std::vector<int>* items, Code* its_end) -> Task<> {
      *its_end = co_await receive_all(from, items);
    }(channel, into, how));
    while (scope.running() == 2) co_await yield();
    channel->close();
    static_cast<void>(co_await scope.join());
  }(&channel_, &got, &end));
  turn();
  std::vector<int> sent;
  for (int i = 1; i <= 20; ++i) sent.push_back(i);
  EXPECT_EQ(got, sent);
  EXPECT_EQ(end, Code::out_of_range);
}

TEST_F(ChannelTest, SendWaitsForRoom) {
  auto sender = begin(send_all(&channel_, 1, 3));
  EXPECT_EQ(channel_.size(), 2U);
  EXPECT_EQ(sender->running(), 1U);
  EXPECT_EQ(channel_.try_receive(), 1);
  turn();
  EXPECT_EQ(sender->running(), 0U);
  EXPECT_EQ(channel_.try_receive(), 2);
  EXPECT_EQ(channel_.try_receive(), 3);
  EXPECT_EQ(channel_.try_receive(), std::nullopt);
}

TEST_F(ChannelTest, ManySendAndReceiveEachItemOnce) {
  std::vector<int> got;
  start([](Numbers* channel, std::vector<int>* into) -> Task<> {
    Scope senders;
    Scope receivers;
    for (int i = 0; i < 5; ++i)
      receivers.spawn([](Numbers* from, std::vector<int>* items) -> Task<> {
        static_cast<void>(co_await receive_all(from, items));
      }(channel, into));
    for (int i = 0; i < 5; ++i) senders.spawn(send_all(channel, i * 100 + 1, i * 100 + 100));
    static_cast<void>(co_await senders.join());
    channel->close();
    static_cast<void>(co_await receivers.join());
  }(&channel_, &got));
  shard_.shuffle(true);
  turn();
  std::sort(got.begin(), got.end());
  ASSERT_EQ(got.size(), 500U);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i + 1);
}

TEST_F(ChannelTest, CloseLetsWhatIsThereBeTaken) {
  auto senders = begin(send_one(&channel_, 1, &log_));
  auto second = begin(send_one(&channel_, 2, &log_));
  auto waits = begin(send_one(&channel_, 3, &log_));
  channel_.close();
  turn();
  EXPECT_EQ(log_, "1+2+3-");
  EXPECT_FALSE(channel_.try_send(4));
  std::vector<int> got;
  Code end = Code::ok;
  run([](Numbers* channel, std::vector<int>* into, Code* how) -> Task<> {
    *how = co_await receive_all(channel, into);
    EXPECT_EQ((co_await channel->send(5)).code(), Code::failed_precondition);
  }(&channel_, &got, &end));
  EXPECT_EQ(got, (std::vector<int>{1, 2}));
  EXPECT_EQ(end, Code::out_of_range);
}

TEST_F(ChannelTest, CloseWakesThoseThatWaitForAnItem) {
  auto first = begin(receive_one(&channel_, 'a', &log_));
  auto second = begin(receive_one(&channel_, 'b', &log_));
  EXPECT_TRUE(channel_.try_send(1));
  channel_.close();  // a was woken for the item and still gets it
  turn();
  EXPECT_EQ(log_, "a1b-");
}

TEST_F(ChannelTest, TheItemOfAReceiverThatIsDestroyedGoesToTheNext) {
  auto first = begin(receive_one(&channel_, 'a', &log_));
  auto second = begin(receive_one(&channel_, 'b', &log_));
  EXPECT_TRUE(channel_.try_send(1));
  EXPECT_EQ(channel_.try_receive(), std::nullopt) << "it is meant for a";
  first.reset();
  turn();
  EXPECT_EQ(log_, "b1");
}

TEST_F(ChannelTest, TheItemOfAReceiverThatIsDestroyedStaysWhenNobodyWaits) {
  auto first = begin(receive_one(&channel_, 'a', &log_));
  EXPECT_TRUE(channel_.try_send(1));
  first.reset();
  EXPECT_EQ(channel_.try_receive(), 1);
}

TEST_F(ChannelTest, AnItemSkipsAReceiverThatGaveUp) {
  auto first = begin(receive_one(&channel_, 'a', &log_));
  auto second = begin(receive_one(&channel_, 'b', &log_));
  first->cancel();  // woken, and has not run yet
  EXPECT_TRUE(channel_.try_send(1));
  turn();
  EXPECT_EQ(log_, "a-b1");
}

TEST_F(ChannelTest, RoomSkipsASenderThatGaveUpAndItsItemIsNotSent) {
  EXPECT_TRUE(channel_.try_send(1));
  EXPECT_TRUE(channel_.try_send(2));
  auto first = begin(send_one(&channel_, 3, &log_));
  auto second = begin(send_one(&channel_, 4, &log_));
  first->cancel();
  EXPECT_EQ(channel_.try_receive(), 1);
  turn();
  EXPECT_EQ(log_, "3-4+");
  EXPECT_EQ(channel_.try_receive(), 2);
  EXPECT_EQ(channel_.try_receive(), 4);
}

TEST_F(ChannelTest, ASenderThatIsDestroyedAfterItGotRoomHasSent) {
  EXPECT_TRUE(channel_.try_send(1));
  EXPECT_TRUE(channel_.try_send(2));
  auto sender = begin(send_one(&channel_, 3, &log_));
  EXPECT_EQ(channel_.try_receive(), 1);
  sender.reset();
  EXPECT_EQ(channel_.try_receive(), 2);
  EXPECT_EQ(channel_.try_receive(), 3);
}

TEST_F(ChannelTest, WaitsEndWithTheTimeOrTheStop) {
  Code codes[4] = {};
  Numbers full(1);
  EXPECT_TRUE(full.try_send(1));
  start([](Numbers* empty, Numbers* filled, Code* into) -> Task<> {
    into[0] = (co_await empty->receive(milliseconds(5))).error().code();
    into[1] = (co_await filled->send(2, milliseconds(5))).code();
    into[2] = (co_await empty->receive()).error().code();
    into[3] = (co_await filled->send(2)).code();
  }(&channel_, &full, codes));
  turn();
  advance(milliseconds(10));
  advance(milliseconds(10));
  stop();
  turn();
  EXPECT_EQ(codes[0], Code::deadline_exceeded);
  EXPECT_EQ(codes[1], Code::deadline_exceeded);
  EXPECT_EQ(codes[2], Code::cancelled);
  EXPECT_EQ(codes[3], Code::cancelled);
  EXPECT_EQ(full.size(), 1U);
}

TEST_F(ChannelTest, CarriesWhatCanOnlyBeMoved) {
  Channel<std::unique_ptr<int>> channel(1);
  int got = 0;
  run([](Channel<std::unique_ptr<int>>* through, int* into) -> Task<> {
    EXPECT_TRUE((co_await through->send(std::make_unique<int>(7))).ok());
    auto kept = std::make_unique<int>(8);
    EXPECT_FALSE(through->try_send(std::move(kept)));
    EXPECT_NE(kept, nullptr);
    *into = **co_await through->receive();
  }(&channel, &got));
  EXPECT_EQ(got, 7);
}

TEST_F(ChannelTest, MayGoBeforeThoseThatWait) {
  auto channel = std::make_unique<Numbers>(2);
  auto woken = begin(receive_one(channel.get(), 'a', &log_));
  auto woken_too = begin(receive_one(channel.get(), 'b', &log_));
  auto waiting = begin(receive_one(channel.get(), 'c', &log_));
  EXPECT_TRUE(channel->try_send(1));
  EXPECT_TRUE(channel->try_send(2));
  channel.reset();
  woken_too.reset();
  turn();
  EXPECT_EQ(log_, "a-");
  EXPECT_EQ(waiting->running(), 1U) << "nobody wakes it but a stop";
  waiting->cancel();
  turn();
  EXPECT_EQ(log_, "a-c-");
}

TEST_F(ChannelTest, MayGoBeforeThoseThatWaitForRoom) {
  auto channel = std::make_unique<Numbers>(1);
  auto sent = begin(send_one(channel.get(), 1, &log_));
  auto granted = begin(send_one(channel.get(), 2, &log_));
  auto waiting = begin(send_one(channel.get(), 3, &log_));
  EXPECT_EQ(channel->try_receive(), 1);
  channel.reset();
  turn();
  waiting.reset();
  EXPECT_EQ(log_, "1+2+");
}

}  // namespace
}  // namespace cobus
