// SPDX-License-Identifier: Apache-2.0
//
// Requests to workers: the call ends with their answer, or with why there is none.
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "echo.cobus.h"
#include "node/worker/call.hpp"
#include "node/worker/exit_reason.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Answers what it is asked; some words make it behave otherwise.
Task<> answerer(Self self, Address* address) {
  *address = self.address();
  for (;;) {
    auto asked = co_await self.receive<EchoRequest>();
    if (!asked) co_return;
    const std::string text = (*asked)->text();
    if (text == "drop") continue;
    if (text == "end") co_return;
    if (text == "throw") throw std::runtime_error("broken by a request");
    if (text == "refuse") {
      asked->refuse(Status(Code::failed_precondition, "not today"));
      continue;
    }
    if (text == "sleep") static_cast<void>(co_await sleep(seconds(10)));
    EchoReply reply;
    reply.set_text(text);
    asked->reply(std::move(reply));
  }
}

class RequestsToWorkers : public TestNode, public ::testing::WithParamInterface<unsigned> {
 protected:
  RequestsToWorkers() : TestNode(GetParam()) { spawn(&answerer, &asked_); }
  // What a call answered: its text, or the code and message of the failure.
  std::string ask(std::string text, Duration timeout = seconds(5)) {
    answer_.reset();
    begin(std::move(text), timeout);
    return answer_.value_or("nothing yet");
  }
  void begin(std::string text, Duration timeout = seconds(5)) {
    spawn(
        [](Self self, Address to, std::string word, Duration longest,
           std::optional<std::string>* into) -> Task<> {
          CallOptions options;
          options.timeout = longest;
          Result<EchoReply> reply =
              co_await call_worker<EchoReply>(self, to, say(std::move(word)), std::move(options));
          *into = reply ? reply->text() : reply.error().to_string();
        },
        asked_, std::move(text), timeout, &answer_);
  }
  void kill(Address target) {
    node_->run_on(0, [target](Home& home) { home.kill(target, "by the test"); });
    step();
  }
  Address asked_;
  std::optional<std::string> answer_;
};
INSTANTIATE_TEST_SUITE_P(OnShards, RequestsToWorkers, ::testing::Values(1U, 3U));

// Asks for what takes ten seconds and waits for one; then asks for something else, and reads its mailbox.
TEST_P(RequestsToWorkers, M4_ALateReplyReachesNobody) {
  std::string heard;
  spawn(
      [](Self self, Address to, std::string* into) -> Task<> {
        CallOptions hasty;
        hasty.timeout = seconds(1);
        auto reply = co_await call_worker<EchoReply>(self, to, say("sleep"), std::move(hasty));
        *into += reply ? reply->text() : std::string(code_name(reply.error().code()));
        CallOptions patient;
        patient.timeout = seconds(60);
        auto other = co_await call_worker<EchoReply>(self, to, say("another"), std::move(patient));
        *into += other ? ' ' + other->text() : ' ' + other.error().to_string();
        auto stray = co_await self.receive<EchoReply>(seconds(5));
        *into += stray ? " and a stray " + (*stray)->text() : " and nothing else";
      },
      asked_, &heard);
  for (int second = 0; second < 20; ++second) advance(seconds(1));
  EXPECT_EQ(heard, "DEADLINE_EXCEEDED another and nothing else");
  EXPECT_EQ(node_->dead_letters().count(DeadLetter::late), 1U);
}

TEST_P(RequestsToWorkers, M4_AWorkerThatIsAskedAnswersOnce) {
  EXPECT_EQ(ask("hello"), "hello");
  EXPECT_EQ(ask("refuse"), "FAILED_PRECONDITION: not today");
  EXPECT_EQ(workers(), 1U);
}

TEST_P(RequestsToWorkers, M4_ACallToAWorkerThatIsGoneFailsAtOnce) {
  kill(asked_);
  EXPECT_TRUE(ask("hello").starts_with("NOT_FOUND")) << *answer_;
  asked_.worker = WorkerId::make(200, 5, 1);
  EXPECT_TRUE(ask("hello").starts_with("NOT_FOUND")) << "a shard that there is not: " << *answer_;
  asked_ = {};
  EXPECT_TRUE(ask("hello").starts_with("INVALID_ARGUMENT")) << *answer_;
}

TEST_P(RequestsToWorkers, M4_WhenTheWorkerEndsItsCallersHearWhy) {
  EXPECT_EQ(ask("throw"), "INTERNAL: the worker ended before it answered (crash): broken by a request");
  spawn(&answerer, &asked_);
  begin("sleep", seconds(60));
  answer_.reset();
  begin("waits in the mailbox", seconds(60));
  kill(asked_);
  EXPECT_EQ(*answer_, "ABORTED: the worker ended before it answered (killed): by the test");
  spawn(&answerer, &asked_);
  EXPECT_EQ(ask("end"), "INTERNAL: the worker took the request and gave no answer");
}

TEST_P(RequestsToWorkers, ARequestThatIsDroppedIsAnsweredAllTheSame) {
  EXPECT_EQ(ask("drop"), "INTERNAL: the worker took the request and gave no answer");
  EXPECT_EQ(ask("goes on"), "goes on");
}

TEST_P(RequestsToWorkers, ARequestWhoseCallerGaveUpIsNotBegun) {
  begin("sleep", seconds(60));
  begin("too late", seconds(3));
  answer_.reset();
  for (int i = 0; i < 5; ++i) advance(seconds(1));
  EXPECT_TRUE(answer_.value_or("").starts_with("DEADLINE_EXCEEDED")) << answer_.value_or("nothing");
  for (int i = 0; i < 7; ++i) advance(seconds(1));
  Home& home = node_->home(asked_.worker.shard());
  EXPECT_EQ(home.find(asked_.worker)->mailbox.size(), 0U);
  EXPECT_EQ(node_->dead_letters().count(DeadLetter::late), 0U) << "nobody answered what nobody waited for";
  EXPECT_EQ(ask("and on"), "and on");
}

// A request that arrived in time and waited too long.
TEST_P(RequestsToWorkers, AnExpiredRequestIsPassedOver) {
  begin("sleep", seconds(60));
  auto late = std::make_unique<TypedEnvelope<EchoRequest>>(say("expired"));
  late->kind = v1::REQUEST;
  late->from = Address{NodeId{77}, WorkerId::make(0, 1, 1)};
  late->to = asked_.worker;
  late->call = 9;
  late->deadline = node_->clock().now() + seconds(2);
  node_->deliver(std::move(late));
  for (int i = 0; i < 12; ++i) advance(seconds(1));
  Home& home = node_->home(asked_.worker.shard());
  EXPECT_EQ(home.find(asked_.worker)->mailbox.size(), 0U);
  EXPECT_EQ(ask("and on"), "and on");
}

TEST_P(RequestsToWorkers, M5_AFullMailboxAnswersThatItIsFull) {
  begin("sleep", seconds(60));
  spawn(
      [](Self self, Address to) -> Task<> {
        for (std::size_t i = 0; i < limits::mailbox_messages_max; ++i) {
          EXPECT_TRUE(self.try_send(to, say("drop")).ok());
          if (i % 1000 == 0) co_await yield();
        }
      },
      asked_);
  EXPECT_TRUE(ask("one more").starts_with("RESOURCE_EXHAUSTED")) << *answer_;
}

TEST_P(RequestsToWorkers, ARequestMayBeAnsweredLater) {
  spawn(
      [](Self self, Address* address) -> Task<> {
        *address = self.address();
        auto one = co_await self.receive<EchoRequest>();
        static_cast<void>(co_await sleep(seconds(1)));
        EXPECT_TRUE(one && one->wants_reply());
        EchoReply reply;
        reply.set_text("in the end");
        one->reply(reply);
        EXPECT_FALSE(one->wants_reply());
        one->reply(reply);  // once is enough
      },
      &asked_);
  EXPECT_EQ(ask("one"), "nothing yet");
  advance(seconds(2));
  EXPECT_EQ(*answer_, "in the end");
}

// A handler asks a worker that never answers, and allows it a minute; its own caller waits for two seconds.
class Asking final : public echo::EchoService {
 public:
  explicit Asking(const Address* whom) : whom_(whom) {}
  Task<Result<EchoReply>> Echo(Call call, EchoRequest request) override {
    CallOptions options;
    options.timeout = seconds(60);
    Result<EchoReply> reply =
        co_await call_worker<EchoReply>(call.self(), *whom_, std::move(request), std::move(options));
    if (!reply) ended = call.self().worker().shard->clock().now();
    co_return reply;
  }
  TimePoint ended = never;

 private:
  const Address* whom_;
};

TEST_P(RequestsToWorkers, M4_WhatAHandlerAsksOfOthersEndsWhenItsOwnCallerGivesUp) {
  auto service = std::make_unique<Asking>(&asked_);
  const Asking& asking = *service;
  node_->add_service(std::move(service));
  const TimePoint began = node_->clock().now();
  // From afar, so that nobody cancels the handler.
  auto request = std::make_unique<TypedEnvelope<EchoRequest>>(say("sleep"));
  request->kind = v1::REQUEST;
  request->from = Address{NodeId{77}, WorkerId::make(0, 1, 1)};
  request->call = 5;
  request->deadline = began + seconds(2);
  request->extra().to_name = "echo.Echo/Echo";
  node_->deliver(std::move(request));
  step();
  for (int i = 0; i < 50; ++i) advance(milliseconds(100));
  EXPECT_GE(asking.ended, began + seconds(2));
  EXPECT_LE(asking.ended, began + seconds(3));
}

}  // namespace
}  // namespace cobus
