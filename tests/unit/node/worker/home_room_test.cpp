// SPDX-License-Identifier: Apache-2.0
//
// Room in mailboxes of other shards, and of other nodes as far as one node shows it: who has to wait, who
// goes on when, and what becomes of those whose receiver is gone.
#include <cobus/v1/worker.pb.h>
#include <gtest/gtest.h>

#include <map>
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

using Words = std::vector<std::string>;

MailboxLimits room_for(std::uint32_t messages) {
  MailboxLimits limits;
  limits.messages = messages;
  return limits;
}

// Reads nothing for a second, and then all that there is.
Task<> late_reader(Self self, Address* address, std::uint32_t room, Words* heard) {
  *address = self.address();
  self.limit_mailbox(room_for(room));
  static_cast<void>(co_await sleep(seconds(1)));
  for (;;) {
    auto message = co_await self.receive<EchoRequest>(seconds(1));
    if (!message) co_return;
    heard->push_back((*message)->text());
  }
}

// What became of a number of sends by one worker.
struct Sending {
  Address address;
  int ok = 0;
  std::optional<Status> failed;
};

Task<> send_numbers(Self self, Address to, std::string name, int count, Sending* sent) {
  sent->address = self.address();
  for (int i = 0; i < count; ++i) {
    Status status = co_await self.send(to, say(name + std::to_string(i)));
    if (!status.ok()) {
      sent->failed = std::move(status);
      co_return;
    }
    ++sent->ok;
  }
}

Task<> try_to_send(Self self, Address to, std::string text, std::optional<Code>* code) {
  *code = self.try_send(to, say(text)).code();
  co_return;
}

class RoomElsewhere : public TestNode {
 protected:
  static constexpr NodeId afar{77};

  explicit RoomElsewhere(unsigned shards = 3) : TestNode(shards) {}
  Address reader(std::uint32_t room) {
    Address made;
    spawn_on(1, &late_reader, &made, room, &heard);
    return made;
  }
  // A reader whose mailbox is full, and known to be on shard 0.
  Address full_reader() {
    const Address made = reader(4);
    spawn_on(0, &send_numbers, made, std::string("first "), 1000, &first);
    EXPECT_LT(first.ok, 1000);
    EXPECT_FALSE(first.failed);
    return made;
  }
  Code try_from(unsigned shard, Address to, const std::string& text = "tried") {
    std::optional<Code> code;
    spawn_on(shard, &try_to_send, to, text, &code);
    return code.value_or(Code::unknown);
  }
  Worker* find(Address address) { return node_->home(address.worker.shard()).find(address.worker); }
  std::uint64_t dead(DeadLetter why) { return node_->dead_letters().count(why); }
  // What a node says of its worker `from`.
  void say_of(Address from, bool room) {
    auto news = std::make_unique<SignalEnvelope>();
    news->kind = v1::CREDIT;
    news->from = from;
    if (room) news->extra().credit = 1;
    node_->deliver(std::move(news));
    step();
  }
  void expect_nothing_kept() {
    for (unsigned shard = 0; shard < node_->shards(); ++shard) {
      const Home::Held held = node_->home(shard).held();
      EXPECT_EQ(held.senders_waiting, 0U);
      EXPECT_EQ(held.full_elsewhere, 0U);
      EXPECT_EQ(held.told_full, 0U);
    }
  }
  Words heard;
  Sending first;
};

TEST_F(RoomElsewhere, M3_CoAwaitSendWaitsForRoomInAMailboxOfAnotherShard) {
  const Address to = full_reader();
  const std::size_t most = find(to)->mailbox.size();
  EXPECT_LT(most, 300U) << "a turn's worth more than it holds";
  for (int i = 0; i < 100 && workers() > 0; ++i) advance(milliseconds(100));
  ASSERT_EQ(heard.size(), 1000U);
  for (std::size_t i = 0; i < heard.size(); ++i) EXPECT_EQ(heard[i], "first " + std::to_string(i));
  EXPECT_EQ(first.ok, 1000);
  EXPECT_EQ(node_->dead_letters().total(), 0U);
  expect_nothing_kept();
}

TEST_F(RoomElsewhere, M3_SendersOfSeveralShardsWaitAndNoneOvertakesItself) {
  const Address to = reader(4);
  std::map<std::string, Sending> senders;
  for (const char* name : {"a", "b", "c", "d", "e", "f"})
    spawn_on(static_cast<unsigned>(senders.size() % 3), &send_numbers, to, std::string(name), 500,
             &senders[name]);
  for (int i = 0; i < 200 && workers() > 0; ++i) advance(milliseconds(100));
  EXPECT_EQ(heard.size(), 3000U);
  std::map<char, int> next;
  for (const std::string& word : heard) EXPECT_EQ(word, word[0] + std::to_string(next[word[0]]++));
  EXPECT_EQ(node_->dead_letters().total(), 0U);
  expect_nothing_kept();
}

TEST_F(RoomElsewhere, M3_TrySendSaysThatAMailboxOfAnotherShardIsFull) {
  const Address to = full_reader();
  EXPECT_EQ(try_from(0, to), Code::resource_exhausted);
  EXPECT_EQ(try_from(2, to), Code::ok) << "this shard was not told yet; it is taken beyond the bounds";
  EXPECT_EQ(try_from(2, to), Code::resource_exhausted);
  for (int i = 0; i < 30; ++i) advance(milliseconds(50));
  EXPECT_EQ(first.ok, 1000);
  EXPECT_EQ(try_from(0, to), Code::ok);
  EXPECT_EQ(try_from(2, to), Code::ok);
  EXPECT_EQ(node_->dead_letters().total(), 0U);
}

TEST_F(RoomElsewhere, M3_ByNameWithinTheNodeItIsToldToo) {
  const Address to = full_reader();
  EXPECT_TRUE(node_->register_name("reader", to).ok());
  std::vector<Code> codes;
  for (const unsigned shard : {0U, 1U}) {
    spawn_on(
        shard,
        +[](Self self, std::vector<Code>* into) -> Task<> {
          into->push_back(self.send_to_name(self.node().id(), "reader", say("by name")).code());
          co_return;
        },
        &codes);
  }
  EXPECT_EQ(codes, (std::vector<Code>{Code::resource_exhausted, Code::resource_exhausted}));
  EXPECT_EQ(node_->dead_letters().total(), 0U);
}

TEST_F(RoomElsewhere, M3_AStopReachesWhoWaitsForRoomElsewhere) {
  const Address to = full_reader();
  Sending second;
  spawn_on(0, &send_numbers, to, std::string("second "), 1, &second);
  find(first.address)->stop.request();
  step();
  ASSERT_TRUE(first.failed);
  EXPECT_EQ(first.failed->code(), Code::cancelled);
  for (int i = 0; i < 30 && workers() > 0; ++i) advance(milliseconds(100));
  EXPECT_EQ(heard.size(), static_cast<std::size_t>(first.ok) + 1) << "what was not sent does not come";
  EXPECT_EQ(heard.back(), "second 0");
  EXPECT_EQ(second.ok, 1);
  expect_nothing_kept();
}

TEST_F(RoomElsewhere, M3_WhoWaitsForAWorkerOfAnotherShardThatEndsHearsSo) {
  const Address to = full_reader();
  Home& home = node_->home(1);
  node_->run_on(1, [&](Home&) { home.end(*home.find(to.worker), exit_reason::kill()); });
  step();
  ASSERT_TRUE(first.failed);
  EXPECT_EQ(first.failed->code(), Code::not_found);
  EXPECT_EQ(dead(DeadLetter::no_such_worker), 1U);
  EXPECT_EQ(dead(DeadLetter::unread), static_cast<std::uint64_t>(first.ok));
  expect_nothing_kept();
  // Its slot has another worker, which is not full.
  const Address next = reader(4);
  EXPECT_EQ(next.worker.index(), to.worker.index());
  EXPECT_EQ(try_from(0, next), Code::ok);
}

// Destroyed while it waits, the sender takes its message along.
TEST_F(RoomElsewhere, M3_ASenderThatEndsWhileItWaitsLeavesADeadLetter) {
  const Address to = full_reader();
  node_->run_on(0, [this](Home& home) { home.end(*home.find(first.address.worker), exit_reason::kill()); });
  step();
  EXPECT_EQ(dead(DeadLetter::unsent), 1U);
  for (int i = 0; i < 30 && workers() > 0; ++i) advance(milliseconds(100));
  EXPECT_EQ(heard.size(), static_cast<std::size_t>(first.ok));
  EXPECT_FALSE(to.worker.value == 0);
  expect_nothing_kept();
}

// Those of its own shard, who are let in one by one, do not keep it so full that nobody else ever gets in.
TEST_F(RoomElsewhere, SendersOfItsOwnShardDoNotStarveThoseOfOthers) {
  Address to;
  spawn_on(
      1,
      +[](Self self, Address* address) -> Task<> {
        *address = self.address();
        self.limit_mailbox(room_for(20));
        while (co_await self.receive<EchoRequest>()) static_cast<void>(co_await sleep(milliseconds(1)));
      },
      &to);
  std::map<int, Sending> own;
  for (int i = 0; i < 30; ++i) spawn_on(1, &send_numbers, to, std::string("own "), 100'000, &own[i]);
  Sending other;
  spawn_on(0, &send_numbers, to, std::string("other "), 1000, &other);
  EXPECT_LT(other.ok, 1000);
  for (int i = 0; i < 2000 && other.ok < 1000; ++i) advance(milliseconds(1));
  EXPECT_EQ(other.ok, 1000);
  for (auto& [number, sending] : own) EXPECT_LT(sending.ok, 100'000) << "else this shows nothing";
  find(to)->stop.request();
  step();
  EXPECT_EQ(workers(), 0U);
  expect_nothing_kept();
}

// What it waits for is with a sender elsewhere, who waits for room that nobody else would make.
TEST_F(RoomElsewhere, M3_AWorkerGetsWhatItWaitsForPastItsFullMailboxFromAnotherShard) {
  Words got;
  Address to;
  spawn_on(
      1,
      +[](Self self, Address* address, Words* into) -> Task<> {
        *address = self.address();
        self.limit_mailbox(room_for(2));
        static_cast<void>(co_await sleep(seconds(1)));
        for (int i = 0; i < 3; ++i) {
          auto reply = co_await self.receive<EchoReply>();
          if (reply) into->push_back((*reply)->text());
        }
        into->push_back(std::to_string(self.worker().mailbox.size()) + " are left");
      },
      &to, &got);
  spawn_on(0, &send_numbers, to, std::string("first "), 1000, &first);
  const auto reply = +[](Self self, Address receiver, std::string text, Duration when, bool tries) -> Task<> {
    if (when > Duration(0)) static_cast<void>(co_await sleep(when));
    EchoReply wanted;
    wanted.set_text(text);
    while (tries) {
      if (self.try_send(receiver, wanted).ok()) co_return;
      static_cast<void>(co_await sleep(milliseconds(100)));
    }
    EXPECT_TRUE((co_await self.send(receiver, wanted)).ok());
  };
  spawn_on(0, reply, to, std::string("before"), Duration(0), false);
  spawn_on(0, reply, to, std::string("after"), Duration(seconds(2)), false);
  spawn_on(0, reply, to, std::string("tried"), Duration(seconds(3)), true);
  for (int i = 0; i < 50; ++i) advance(milliseconds(100));
  const std::string left = std::to_string(first.ok) + " are left";
  EXPECT_EQ(got, (Words{"before", "after", "tried", left}));
  EXPECT_EQ(first.failed->code(), Code::not_found) << "it ended";
  expect_nothing_kept();
}

// News that nobody remembers, as from an earlier session, holds nobody.
TEST_F(RoomElsewhere, M3_WhoIsToldFullByMistakeIsToldRoomWhenItAsks) {
  const Address to = reader(4);
  for (const unsigned shard : {0U, 2U}) {
    auto full = std::make_unique<SignalEnvelope>();
    full->kind = v1::CREDIT;
    full->from = to;
    node_->home(shard).post(std::move(full));
  }
  step();
  Sending sent;
  spawn_on(0, &send_numbers, to, std::string("x"), 1, &sent);
  EXPECT_EQ(sent.ok, 1);
  EXPECT_EQ(node_->home(0).held().full_elsewhere, 0U);
  EXPECT_EQ(try_from(2, to), Code::resource_exhausted);
  EXPECT_EQ(try_from(2, to), Code::ok) << "that it was refused made it ask";
  expect_nothing_kept();
}

TEST_F(RoomElsewhere, M3_OtherBoundsForAMailboxLetThoseInWhoWait) {
  const Address to = full_reader();
  node_->run_on(1, [to](Home& home) { Self(*home.find(to.worker)).limit_mailbox(room_for(100'000)); });
  step();
  EXPECT_EQ(first.ok, 1000);
  expect_nothing_kept();
}

// 64 MiB beyond its bounds, for what was on its way from other shards when it said that it is full.
TEST_F(RoomElsewhere, M3_WhatIsFarBeyondTheBoundsOfAMailboxIsADeadLetter) {
  const Address to = reader(4);
  constexpr std::size_t bytes = 1'000'000;
  constexpr std::size_t many = (limits::mailbox_bytes_max + limits::mailbox_overshoot_bytes_max) / bytes;
  for (std::size_t i = 0; i < many + 10; ++i) {
    auto message = std::make_unique<EncodedEnvelope>(type_id_of<EchoReply>(), std::string(bytes, 'x'));
    message->from = Address{node_->id(), WorkerId::make(0, 1, 1)};
    message->to = to.worker;
    node_->deliver(std::move(message));
    step();
  }
  EXPECT_GT(find(to)->mailbox.size(), many - 10);
  EXPECT_LE(find(to)->mailbox.bytes(), limits::mailbox_bytes_max + limits::mailbox_overshoot_bytes_max);
  EXPECT_EQ(dead(DeadLetter::mailbox_full) + find(to)->mailbox.size(), many + 10);
  EXPECT_EQ(node_->home(1).held().told_full, 1U);
}

TEST_F(RoomElsewhere, M3_WhoWaitsForAnotherNodeIsToldWhenItIsLost) {
  const Address to{afar, WorkerId::make(0, 5, 1)};
  say_of(to, false);
  spawn_on(0, &send_numbers, to, std::string("x"), 1, &first);
  EXPECT_EQ(try_from(2, to), Code::resource_exhausted) << "every shard knows";
  EXPECT_FALSE(first.failed);
  EXPECT_EQ(node_->home(0).held().senders_waiting, 1U);
  lose(afar);
  ASSERT_TRUE(first.failed);
  EXPECT_EQ(exit_reason::name(*first.failed), "noconnection");
  expect_nothing_kept();
  EXPECT_EQ(try_from(2, to), Code::ok) << "what it said does not hold any more";
}

TEST_F(RoomElsewhere, M3_WhoWaitsForAnotherNodeGoesOnWhenItHasRoom) {
  const Address to{afar, WorkerId::make(0, 5, 1)};
  say_of(to, false);
  spawn_on(0, &send_numbers, to, std::string("x"), 1, &first);
  say_of({afar, WorkerId::make(0, 6, 1)}, true);
  EXPECT_EQ(first.ok, 0) << "that was another worker";
  say_of(to, true);
  EXPECT_EQ(first.ok, 1);
  expect_nothing_kept();
}

TEST_F(RoomElsewhere, M3_ANodeThatSaysFullOfEveryWorkerIsRememberedForSoManyOnly) {
  const auto worker = [](std::uint32_t number) { return Address{afar, WorkerId::make(0, number, 1)}; };
  const auto many = static_cast<std::uint32_t>(limits::full_mailboxes_of_peer_max);
  for (std::uint32_t i = 1; i <= many + 100; ++i) {
    auto news = std::make_unique<SignalEnvelope>();
    news->kind = v1::CREDIT;
    news->from = worker(i);
    node_->deliver(std::move(news));
  }
  step();
  EXPECT_EQ(node_->home(0).held().full_elsewhere, limits::full_mailboxes_of_peer_max);
  EXPECT_EQ(try_from(0, worker(1)), Code::resource_exhausted);
  EXPECT_EQ(try_from(0, worker(many + 1)), Code::ok);
  lose(afar);
  expect_nothing_kept();
}

// Who may not send messages need not ask for room.
TEST_F(RoomElsewhere, OnlyWhoMaySendMessagesMayAskForRoom) {
  const Address to = full_reader();
  EnvelopeHeader asks;
  asks.kind = v1::CREDIT;
  asks.to = to.worker.value;
  link::PeerInfo peer;
  peer.node = afar;
  for (const v1::Role role : {v1::SUBMIT, v1::OBSERVE, v1::BROKER, v1::NODE}) {
    peer.role = role;
    const auto frame = std::make_shared<const std::string>();
    node_->on_envelope(peer, {asks, {}}, link::FrameIn(frame));
    EXPECT_TRUE(node_->on_frame_end(peer).ok());
  }
  EXPECT_EQ(dead(DeadLetter::not_allowed), 3U);
}

// An older release, or anybody who has never heard of it.
TEST_F(RoomElsewhere, NewsOfRoomThatConcernsNobodyIsIgnored) {
  const Address to = reader(4);
  say_of({afar, WorkerId::make(0, 5, 1)}, true);
  say_of({afar, WorkerId{}}, false);
  auto asks = std::make_unique<SignalEnvelope>();
  asks->kind = v1::CREDIT;
  asks->from = Address{afar, WorkerId{}};
  asks->to = to.worker;
  node_->deliver(std::move(asks));
  step();
  EXPECT_EQ(try_from(0, to), Code::ok);
  EXPECT_EQ(node_->dead_letters().total(), 0U);
  expect_nothing_kept();
}

}  // namespace
}  // namespace cobus
