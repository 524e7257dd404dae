// SPDX-License-Identifier: Apache-2.0
#include "node/worker/mailbox.hpp"

#include <cobus/v1/worker.pb.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "node/runtime/event.hpp"
#include "node/runtime/scope.hpp"
#include "node/worker/self.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

class MailboxTest : public TestNode {
 protected:
  // A worker with room for three messages that reads when told to, and then all at once.
  Address make(Overflow overflow) {
    Address made;
    spawn(
        [](Self self, Address* address, Overflow policy, std::vector<std::string>* into) -> Task<> {
          *address = self.address();
          MailboxLimits limits;
          limits.messages = 3;
          limits.overflow = policy;
          self.limit_mailbox(limits);
          static_cast<void>(co_await sleep(seconds(1)));
          for (;;) {
            auto message = co_await self.receive<EchoRequest>(milliseconds(100));
            if (!message) break;
            into->push_back((*message)->text());
          }
        },
        &made, overflow, &heard);
    return made;
  }
  // Six messages by try_send; gives what each was answered.
  std::vector<Code> send_six(Address to) {
    std::vector<Code> codes;
    spawn(
        [](Self self, Address receiver, std::vector<Code>* into) -> Task<> {
          for (int i = 1; i <= 6; ++i)
            into->push_back(self.try_send(receiver, say(std::to_string(i))).code());
          co_return;
        },
        to, &codes);
    return codes;
  }
  std::vector<std::string> heard;
};

using Words = std::vector<std::string>;

TEST_F(MailboxTest, M3_RejectTellsTheSender) {
  const Address to = make(Overflow::reject);
  const std::vector<Code> codes = send_six(to);
  EXPECT_EQ(codes, (std::vector<Code>{Code::ok, Code::ok, Code::ok, Code::resource_exhausted,
                                      Code::resource_exhausted, Code::resource_exhausted}));
  advance(seconds(2));
  EXPECT_EQ(heard, (Words{"1", "2", "3"}));
  EXPECT_EQ(node_->dead_letters().total(), 0U) << "the senders know";
}

TEST_F(MailboxTest, M3_WhoIsToldThatItsOwnMailboxIsFullKnows) {
  std::vector<Code> codes;
  spawn(
      [](Self self, std::vector<Code>* told) -> Task<> {
        MailboxLimits one;
        one.messages = 1;
        self.limit_mailbox(one);
        for (int i = 0; i < 2; ++i) told->push_back((co_await self.send(self.address(), say("me"))).code());
        static_cast<void>(co_await self.receive<EchoRequest>());
      },
      &codes);
  EXPECT_EQ(codes, (std::vector<Code>{Code::ok, Code::resource_exhausted}));
  EXPECT_EQ(node_->dead_letters().total(), 0U);
}

TEST_F(MailboxTest, DropNewestKeepsWhatCameFirstAndCountsTheRest) {
  const Address to = make(Overflow::drop_newest);
  send_six(to);
  advance(seconds(2));
  EXPECT_EQ(heard, (Words{"1", "2", "3"}));
  EXPECT_EQ(node_->dead_letters().count(DeadLetter::mailbox_full), 3U);
}

TEST_F(MailboxTest, DropOldestKeepsWhatCameLastAndCountsTheRest) {
  const Address to = make(Overflow::drop_oldest);
  send_six(to);
  advance(seconds(2));
  EXPECT_EQ(heard, (Words{"4", "5", "6"}));
  EXPECT_EQ(node_->dead_letters().count(DeadLetter::mailbox_full), 3U);
}

TEST_F(MailboxTest, ASecondReceiveAtOnceIsRefusedAndTheFirstGoesOn) {
  Code second = Code::ok;
  std::string first;
  spawn(
      [](Self self, Code* refused, std::string* got) -> Task<> {
        Scope scope;
        scope.spawn([](Self of, std::string* into) -> Task<> {
          auto message = co_await of.receive<EchoRequest>();
          if (message) *into = (*message)->text();
        }(self, got));
        co_await yield();
        auto other = co_await self.receive<EchoRequest>();
        *refused = other ? Code::ok : other.error().code();
        EXPECT_TRUE(self.try_send(self.address(), say("hello")).ok());
        static_cast<void>(co_await scope.join());
      },
      &second, &first);
  EXPECT_EQ(second, Code::failed_precondition);
  EXPECT_EQ(first, "hello");
}

TEST_F(MailboxTest, EndWorkerEndsItWithOverload) {
  const Address to = make(Overflow::end_worker);
  std::string reason;
  spawn(
      [](Self self, Address target, std::string* into) -> Task<> {
        static_cast<void>(self.monitor(target));
        auto down = co_await self.receive<v1::Down>();
        *into = (*down)->reason().message();
        EXPECT_EQ((*down)->reason().code(), static_cast<int>(Code::resource_exhausted));
      },
      to, &reason);
  send_six(to);
  EXPECT_FALSE(reason.empty());
  EXPECT_EQ(workers(), 0U);
}

TEST_F(MailboxTest, M3_CoAwaitSendWaitsForRoom) {
  const Address to = make(Overflow::reject);
  int sent = 0;
  spawn(
      [](Self self, Address receiver, int* count) -> Task<> {
        for (int i = 1; i <= 6; ++i) {
          const Status status = co_await self.send(receiver, say(std::to_string(i)));
          EXPECT_TRUE(status.ok()) << status.to_string();
          ++*count;
        }
      },
      to, &sent);
  EXPECT_EQ(sent, 3);
  advance(seconds(2));
  EXPECT_EQ(sent, 6);
  EXPECT_EQ(heard, (Words{"1", "2", "3", "4", "5", "6"}));
  advance(seconds(1));
  EXPECT_EQ(workers(), 0U);
}

TEST_F(MailboxTest, ASenderThatWaitsHearsOfTheEndOfTheReceiverAndOfItsOwnStop) {
  for (const bool receiver_ends : {true, false}) {
    const Address to = make(Overflow::reject);
    send_six(to);
    Address sender;
    std::optional<Status> status;
    spawn(
        [](Self self, Address* address, Address receiver, std::optional<Status>* into) -> Task<> {
          *address = self.address();
          *into = co_await self.send(receiver, say("late"));
        },
        &sender, to, &status);
    EXPECT_FALSE(status);
    Home& home = node_->home(0);
    if (receiver_ends) {
      home.end(*home.find(to.worker), exit_reason::kill());
    } else {
      home.find(sender.worker)->stop.request();
    }
    step();
    ASSERT_TRUE(status);
    EXPECT_EQ(status->code(), receiver_ends ? Code::not_found : Code::cancelled);
    advance(seconds(2));
    advance(seconds(1));
    EXPECT_EQ(workers(), 0U);
  }
}

TEST_F(MailboxTest, M5_ItIsBoundedInBytesToo) {
  Address to;
  std::vector<Code> codes;
  spawn(
      [](Self self, Address* address) -> Task<> {
        *address = self.address();
        MailboxLimits limits;
        limits.bytes = 1000;
        self.limit_mailbox(limits);
        static_cast<void>(co_await sleep(seconds(1)));
      },
      &to);
  spawn(
      [](Self self, Address receiver, std::vector<Code>* into) -> Task<> {
        for (int i = 0; i < 3; ++i)
          into->push_back(self.try_send(receiver, say(std::string(300, 'x'))).code());
        co_return;
      },
      to, &codes);
  EXPECT_EQ(codes, (std::vector<Code>{Code::ok, Code::ok, Code::resource_exhausted}));
}

TEST_F(MailboxTest, M5_NewsOfTheRuntimeIsNeverRefusedOrDropped) {
  Address watched;
  std::vector<std::string> all;
  Address watcher;
  spawn(
      [](Self self, Address* address) -> Task<> {
        *address = self.address();
        static_cast<void>(co_await sleep(milliseconds(500)));
      },
      &watched);
  spawn(
      [](Self self, Address* address, Address target, std::vector<std::string>* into) -> Task<> {
        *address = self.address();
        MailboxLimits limits;
        limits.messages = 3;
        limits.overflow = Overflow::drop_oldest;
        self.limit_mailbox(limits);
        static_cast<void>(self.monitor(target));
        static_cast<void>(co_await sleep(seconds(2)));
        for (;;) {
          auto news = co_await self.receive<EchoRequest, v1::Down>(milliseconds(10));
          if (!news) co_return;
          into->push_back(news->as<v1::Down>() != nullptr ? "down" : news->as<EchoRequest>()->text());
        }
      },
      &watcher, watched, &all);
  advance(seconds(1));
  send_six(watcher);
  advance(seconds(2));
  EXPECT_EQ(all, (Words{"down", "5", "6"}));
}

TEST_F(MailboxTest, AMessageThatAnEndedReceiveWasGivenIsTheNextOnes) {
  spawn(
      [](Self self, std::vector<std::string>* into) -> Task<> {
        static_cast<void>(self.try_send(self.address(), say("first")));
        static_cast<void>(self.try_send(self.address(), say("second")));
        for (int i = 0; i < 2; ++i) {
          auto message = co_await self.receive<EchoRequest>(seconds(1));
          into->push_back((*message)->text());
        }
      },
      &heard);
  EXPECT_EQ(heard, (Words{"first", "second"}));
}

// What the receiver wants is with a sender that waits for room, and room is only made when it gets it.
TEST_F(MailboxTest, ASelectiveReceiveLooksBehindAFullMailbox) {
  std::vector<std::string> got;
  Address to;
  spawn(
      [](Self self, Address* address, std::vector<std::string>* into) -> Task<> {
        *address = self.address();
        MailboxLimits limits;
        limits.messages = 2;
        self.limit_mailbox(limits);
        static_cast<void>(co_await sleep(seconds(1)));
        auto reply = co_await self.receive<EchoReply>();
        if (reply) into->push_back("reply " + (*reply)->text());
        for (int i = 0; i < 2; ++i) {
          auto request = co_await self.receive<EchoRequest>();
          if (request) into->push_back((*request)->text());
        }
      },
      &to, &got);
  spawn(
      [](Self self, Address receiver) -> Task<> {
        EXPECT_TRUE((co_await self.send(receiver, say("1"))).ok());
        EXPECT_TRUE((co_await self.send(receiver, say("2"))).ok());
        EchoReply reply;
        reply.set_text("wanted");
        EXPECT_TRUE((co_await self.send(receiver, std::move(reply))).ok());
      },
      to);
  advance(seconds(2));
  EXPECT_EQ(got, (Words{"reply wanted", "1", "2"}));
  EXPECT_EQ(workers(), 0U);
}

// An older message of another type stays older than one that was handed over and not read.
TEST_F(MailboxTest, M1_WhatAnAbandonedReceiveWasGivenGoesBackToItsPlace) {
  Event give_up;
  std::vector<std::string> got;
  Address to;
  spawn(
      [](Self self, Address* address, Event* abandon, std::vector<std::string>* into) -> Task<> {
        *address = self.address();
        {
          Scope scope;
          scope.spawn([](Self whole) -> Task<> {
            static_cast<void>(co_await whole.receive<EchoRequest>());
            ADD_FAILURE() << "it is destroyed in the turn in which its message came";
          }(self));
          static_cast<void>(co_await abandon->wait());
        }
        for (int i = 0; i < 2; ++i) {
          auto message = co_await self.receive<EchoRequest, EchoReply>();
          if (!message) co_return;
          into->push_back(message->as<EchoRequest>() != nullptr ? message->as<EchoRequest>()->text()
                                                                : message->as<EchoReply>()->text());
        }
      },
      &to, &give_up, &got);
  spawn(
      [](Self self, Address receiver, Event* abandon) -> Task<> {
        EchoReply older;
        older.set_text("older, of another type");
        EXPECT_TRUE(self.try_send(receiver, older).ok());
        abandon->set();  // resumes first
        EXPECT_TRUE(self.try_send(receiver, say("newer")).ok());
        co_return;
      },
      to, &give_up);
  EXPECT_EQ(got, (Words{"older, of another type", "newer"}));
}

}  // namespace
}  // namespace cobus
