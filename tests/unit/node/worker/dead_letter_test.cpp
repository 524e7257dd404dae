// SPDX-License-Identifier: Apache-2.0
#include "node/worker/dead_letter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>

#include "echo.cobus.h"
#include "node/worker/self.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/test_node.hpp"
#include "tests/support/told_log.hpp"

namespace cobus {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::seconds;

std::string told_of(std::string_view to_name) {
  const ToldLog log;
  DeadLetters letters;
  letters.add(
      DeadLetter::no_such_name, NodeId{1}, Address{NodeId{2}, WorkerId{3}}, Address{NodeId{1}, {}}, to_name,
      [] { return std::string("a letter"); }, TimePoint(std::chrono::seconds(10)));
  return log.text();
}

TEST(DeadLetters, NameTheReceiver) {
  EXPECT_NE(told_of("printer").find("to 'printer' at 0000000000000001, a letter"), std::string::npos);
}

TEST(DeadLetters, LetNoNameForgeALineOrFillTheLog) {
  const std::string forged = told_of("x'\n12:00 info  forged\x1b[31m");
  EXPECT_EQ(std::ranges::count(forged, '\n'), 1) << forged;
  EXPECT_EQ(forged.find('\x1b'), std::string::npos);
  EXPECT_LT(told_of(std::string(900'000, 'z')).size(), 1000U);
}

// Every way in which a message comes to nothing without its sender being told, and what is counted and said.
class DeadLetterTest : public TestNode {
 protected:
  static constexpr Address afar{NodeId{77}, WorkerId::make(0, 1, 1)};
  DeadLetterTest() : sender_(receiver()) {}
  ~DeadLetterTest() override { node_->home(0).end_all(); }

  // Waits until it is sent an EchoReply, then reads all the rest and ends.
  Address receiver(MailboxLimits limits = {}) {
    Address made;
    spawn(
        +[](Self self, Address* address, MailboxLimits bounds) -> Task<> {
          *address = self.address();
          self.limit_mailbox(bounds);
          static_cast<void>(co_await self.receive<EchoReply>());
          while (self.try_receive<EchoRequest>()) {
          }
        },
        &made, limits);
    return made;
  }
  Address full() {
    const Address made = receiver({.messages = 1});
    send(made);
    return made;
  }
  void end(Address address) {
    node_->home(0).end(*node_->home(0).find(address.worker), exit_reason::kill());
    step();
  }
  Address gone() {
    const Address was = receiver();
    end(was);
    return was;
  }
  void in_sender(const std::function<void(Self)>& what) {
    what(Self(*node_->home(0).find(sender_.worker)));
    step();
  }
  void send(Address to, std::size_t bytes = 1) {
    in_sender([=](Self self) { static_cast<void>(self.try_send(to, say(std::string(bytes, 'x')))); });
  }
  void from_afar(v1::Kind kind, WorkerId to, std::string name = {}, std::uint32_t flags = 0,
                 Address from = afar) {
    auto envelope = std::make_unique<EncodedEnvelope>(type_id_of<EchoRequest>(), "\xff");
    envelope->kind = kind;
    envelope->flags = flags;
    envelope->from = from;
    envelope->to = to;
    envelope->call = 999;
    if (!name.empty()) envelope->extra().to_name = std::move(name);
    node_->deliver(std::move(envelope));
    step();
  }
  // `cause` makes one more of `why`, none of any other, and a line that says from whom to whom.
  void expect_one(DeadLetter why, Address from, const std::string& to, const std::function<void()>& cause) {
    advance(seconds(2));  // the log has room for a few a second
    const auto counts = [this] {
      std::array<std::uint64_t, dead_letter_reasons> now{};
      for (std::size_t i = 0; i < now.size(); ++i)
        now[i] = node_->dead_letters().count(static_cast<DeadLetter>(i));
      return now;
    };
    auto expected = counts();
    ++expected[static_cast<std::size_t>(why)];
    const ToldLog log;
    cause();
    EXPECT_EQ(counts(), expected) << "it was to be " << dead_letter_name(why) << ": " << log.text();
    const std::string line = "dead letter at " + to_string(node_->id()) + ": " +
                             std::string(dead_letter_name(why)) + "; from " + to_string(from) + " to " + to +
                             ", " + what_;
    EXPECT_TRUE(log.says(line)) << line << "\nis not in\n" << log.text();
  }
  void expect_one(DeadLetter why, Address from, Address to, const std::function<void()>& cause) {
    expect_one(why, from, to_string(to), cause);
  }

  Address sender_;
  std::string what_;  // the line begins to say what it was
};

TEST_F(DeadLetterTest, M3_WhatIsForNobodyIsCountedAndToldWithSenderReceiverTypeAndReason) {
  const Address nobody = gone();
  what_ = "MESSAGE of type echo.EchoRequest";
  expect_one(DeadLetter::no_such_worker, sender_, nobody, [&] { send(nobody); });
  what_.clear();
  expect_one(DeadLetter::no_such_worker, afar, nobody, [&] { from_afar(v1::MESSAGE, nobody.worker); });
  expect_one(DeadLetter::no_such_worker, sender_, nobody,
             [&] { in_sender([=](Self self) { self.exit(nobody, exit_reason::kill()); }); });
  const Address no_shard{node_->id(), WorkerId::make(9, 1, 1)};
  expect_one(DeadLetter::no_such_worker, sender_, no_shard, [&] { send(no_shard); });
  const std::string named = "'printer' at " + to_string(node_->id());
  expect_one(DeadLetter::no_such_name, afar, named, [&] { from_afar(v1::MESSAGE, {}, "printer"); });
  expect_one(DeadLetter::no_such_name, sender_, named, [&] {
    in_sender([this](Self self) { EXPECT_TRUE(self.send_to_name(node_->id(), "printer", say("x")).ok()); });
  });
}

TEST_F(DeadLetterTest, M3_WhatAMailboxDropsIsCountedAndTold) {
  const Address newest = receiver({.messages = 1, .overflow = Overflow::drop_newest});
  send(newest);
  expect_one(DeadLetter::mailbox_full, sender_, newest, [&] { send(newest); });
  const Address oldest = receiver({.messages = 1, .overflow = Overflow::drop_oldest});
  send(oldest);
  expect_one(DeadLetter::mailbox_full, sender_, oldest, [&] { send(oldest); });
  expect_one(DeadLetter::unread, sender_, oldest, [&] { end(oldest); });
}

TEST_F(DeadLetterTest, M3_OneThatNoMailboxCouldHoldTakesNobodysPlace) {
  const Address to = receiver({.bytes = 1000, .overflow = Overflow::drop_oldest});
  send(to);
  send(to);
  expect_one(DeadLetter::mailbox_full, sender_, to, [&] { send(to, 2000); });
  EXPECT_EQ(node_->home(0).find(to.worker)->mailbox.size(), 2U);
}

TEST_F(DeadLetterTest, M3_WhatIsNotSentAfterAllIsCountedAndTold) {
  const Address to = full();
  expect_one(DeadLetter::unsent, sender_, to, [&] {
    in_sender([=](Self self) {
      const auto forgotten = self.send(to, say("x"));
      static_cast<void>(forgotten);
    });
  });
  Address waits;
  spawn(
      +[](Self self, Address there, Address* address) -> Task<> {
        *address = self.address();
        static_cast<void>(co_await self.send(there, say("x")));
      },
      to, &waits);
  expect_one(DeadLetter::unsent, waits, to, [&] { end(waits); });
  // Whoever is told that it was not sent needs no counter.
  spawn(
      +[](Self self, Address there, Address* address) -> Task<> {
        *address = self.address();
        EXPECT_EQ((co_await self.send(there, say("x"))).code(), Code::cancelled);
      },
      to, &waits);
  const std::uint64_t before = node_->dead_letters().total();
  node_->home(0).find(waits.worker)->stop.request();
  step();
  EXPECT_EQ(node_->home(0).find(waits.worker), nullptr);
  EXPECT_EQ(node_->dead_letters().total(), before);
}

TEST_F(DeadLetterTest, M3_WhatComesTooLateOrNotAsItShouldIsCountedAndTold) {
  const Address to = receiver();
  expect_one(DeadLetter::late, afar, to, [&] { from_afar(v1::REPLY, to.worker); });
  expect_one(DeadLetter::not_allowed, afar, to, [&] { from_afar(v1::ITEM, to.worker, {}, v1::UPSTREAM); });
  expect_one(DeadLetter::unknown_kind, afar, to, [&] { from_afar(static_cast<v1::Kind>(99), to.worker); });
  const Address nameless{afar.node, WorkerId{}};
  expect_one(DeadLetter::refused, nameless, "'no.Such/Method' at " + to_string(node_->id()),
             [&] { from_afar(v1::REQUEST, {}, "no.Such/Method", 0, nameless); });
  const Address nowhere{NodeId{12345}, WorkerId::make(0, 1, 1)};
  expect_one(DeadLetter::not_delivered, sender_, nowhere, [&] { send(nowhere); });
}

TEST_F(DeadLetterTest, M3_WhatCannotBeReadIsCountedAndToldWhicheverWayItIsReceived) {
  const Address tries = receiver();
  from_afar(v1::MESSAGE, tries.worker);
  expect_one(DeadLetter::malformed, afar, tries,
             [&] { in_sender([=](Self self) { EXPECT_TRUE(self.try_send(tries, EchoReply()).ok()); }); });
  Address waits;
  Status heard;
  spawn(
      +[](Self self, Address* address, Status* into) -> Task<> {
        *address = self.address();
        auto message = co_await self.receive<EchoRequest>();
        *into = message ? Status() : message.error();
      },
      &waits, &heard);
  expect_one(DeadLetter::malformed, afar, waits, [&] { from_afar(v1::MESSAGE, waits.worker); });
  EXPECT_EQ(heard.code(), Code::invalid_argument);
}

}  // namespace
}  // namespace cobus
