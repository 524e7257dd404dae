// SPDX-License-Identifier: Apache-2.0
#include "node/worker/call_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "node/runtime/generator.hpp"
#include "node/runtime/scope.hpp"
#include "node/worker/self.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using echo::CollectReply;
using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Does with its items what the first of them says.
class Service final : public echo::EchoService {
 public:
  Task<Result<CollectReply>> Collect(Call call, Incoming<EchoRequest> requests) override {
    ++running;
    std::optional<EchoRequest> request = co_await requests.next();
    const std::string order = request ? request->text() : "";
    CollectReply reply;
    if (order == "answer early") {
      reply.set_count(1);
      --running;
      co_return reply;
    }
    if (order == "throw") throw std::runtime_error("cannot");
    if (order == "take no more") {
      {
        const Incoming<EchoRequest> dropped = std::move(requests);
      }
      static_cast<void>(co_await sleep(seconds(1)));
      reply.set_count(1);
      --running;
      co_return reply;
    }
    if (order == "do not read") {
      while (!call.stop_requested()) static_cast<void>(co_await sleep(seconds(1)));
      static_cast<void>(co_await requests.next());
    }
    for (; request; request = co_await requests.next()) {
      reply.set_count(reply.count() + 1);
      if (request->text() != std::to_string(reply.count() - 1)) ++out_of_order;
    }
    if (order == "take your time") static_cast<void>(co_await sleep(seconds(10)));
    status = requests.status();
    --running;
    co_return reply;
  }
  Stream<EchoReply> Chat(Call /*call*/, Incoming<EchoRequest> requests) override {
    ++running;
    while (std::optional<EchoRequest> request = co_await requests.next()) {
      if (request->text() == "enough") break;
      if (request->text() == "fail") co_yield fail(Code::data_loss, "as asked");
      EchoReply reply;
      reply.set_text(request->text());
      co_yield reply;
    }
    status = requests.status();
    --running;
  }
  int running = 0;
  int out_of_order = 0;
  std::optional<Status> status;  // of the items, once the handler had read them all
};

class CallStreamTest : public TestNode {
 protected:
  CallStreamTest() : TestNode(2) {
    auto service = std::make_unique<Service>();
    service_ = service.get();
    node_->add_service(std::move(service));
  }
  ~CallStreamTest() override {
    EXPECT_EQ(workers(), 0U);
    EXPECT_EQ(node_->calls_running.load(), 0U);
  }
  Service* service_;
};

// What a caller heard.
struct Heard {
  Status sent;  // the first that was not ok
  int taken = 0;
  std::optional<Result<CollectReply>> reply;
  std::vector<std::string> answers;
  std::optional<Status> ended;
};

// Sends `first` and then the numbers that follow, until one is not taken.
Task<> collect(Self self, std::string first, int more, Duration timeout, Heard* heard) {
  CallOptions options;
  options.timeout = timeout;
  auto call = echo::EchoStub(self).Collect(options);
  heard->sent = co_await call.send(say(std::move(first)));
  for (int i = 1; heard->sent.ok(); ++i) {
    ++heard->taken;
    if (i > more) break;
    heard->sent = co_await call.send(say(std::to_string(i)));
  }
  heard->reply = co_await call.finish();
}

TEST_F(CallStreamTest, M1_ItemsThatACallerStreamsArriveInOrder) {
  Heard heard;
  spawn(&collect, std::string("0"), 999, Duration(seconds(1)), &heard);
  ASSERT_TRUE(heard.reply && *heard.reply) << heard.sent.to_string();
  EXPECT_EQ((*heard.reply)->count(), 1000U);
  EXPECT_EQ(service_->out_of_order, 0);
  EXPECT_TRUE(service_->status->ok());
}

TEST_F(CallStreamTest, AStreamOfNothingIsAnsweredToo) {
  Heard heard;
  spawn(
      [](Self self, Heard* into) -> Task<> {
        auto call = echo::EchoStub(self).Collect();
        into->reply = co_await call.finish();
        into->sent = co_await call.send(say("late"));
        auto again = co_await call.finish();
        EXPECT_FALSE(again);
      },
      &heard);
  ASSERT_TRUE(heard.reply && *heard.reply);
  EXPECT_EQ((*heard.reply)->count(), 0U);
  EXPECT_EQ(heard.sent.code(), Code::failed_precondition);
}

Generator<EchoRequest> numbers(int count) {
  for (int i = 0; i < count; ++i) co_yield say(std::to_string(i));
}
Stream<EchoRequest> slow_numbers(int count) {
  for (int i = 0; i < count; ++i) {
    static_cast<void>(co_await sleep(milliseconds(1)));
    co_yield say(std::to_string(i));
  }
}

TEST_F(CallStreamTest, AGeneratorFeedsAStream) {
  Heard heard;
  spawn(
      [](Self self, Heard* into) -> Task<> {
        auto call = echo::EchoStub(self).Collect();
        for (EchoRequest& number : numbers(300)) {
          const Status sent = co_await call.send(std::move(number));
          if (!sent.ok()) break;
        }
        into->reply = co_await call.finish();
      },
      &heard);
  ASSERT_TRUE(heard.reply && *heard.reply);
  EXPECT_EQ((*heard.reply)->count(), 300U);
  EXPECT_EQ(service_->out_of_order, 0);
}

TEST_F(CallStreamTest, ALocalStreamFeedsAStreamAsItsItemsCome) {
  Heard heard;
  spawn(
      [](Self self, Heard* into) -> Task<> {
        auto call = echo::EchoStub(self).Collect();
        Stream<EchoRequest> items = slow_numbers(100);
        while (std::optional<EchoRequest> item = co_await items.next()) {
          const Status sent = co_await call.send(std::move(*item));
          if (!sent.ok()) break;
        }
        into->reply = co_await call.finish();
      },
      &heard);
  for (int i = 0; i < 110; ++i) advance(milliseconds(1));
  ASSERT_TRUE(heard.reply && *heard.reply);
  EXPECT_EQ((*heard.reply)->count(), 100U);
}

Task<> say_numbers(Exchange<EchoRequest, EchoReply>* call, int count) {
  for (int i = 0; i < count; ++i) {
    const Status sent = co_await call->send(say(std::to_string(i)));
    if (!sent.ok()) co_return;
  }
  call->end();
}

Task<> chat(Self self, int count, Heard* heard) {
  auto call = echo::EchoStub(self).Chat();
  Scope scope;
  scope.spawn(say_numbers(&call, count));
  while (std::optional<EchoReply> reply = co_await call.next()) heard->answers.push_back(reply->text());
  heard->ended = call.status();
  static_cast<void>(co_await scope.join());
}

TEST_F(CallStreamTest, M1_StreamsBothWaysKeepTheirOrderAndEnd) {
  Heard heard;
  spawn(&chat, 1000, &heard);
  ASSERT_TRUE(heard.ended);
  EXPECT_TRUE(heard.ended->ok());
  ASSERT_EQ(heard.answers.size(), 1000U);
  for (std::size_t i = 0; i < heard.answers.size(); ++i) ASSERT_EQ(heard.answers[i], std::to_string(i));
}

TEST_F(CallStreamTest, AChatThatTheCalleeEndsTellsTheCallerHow) {
  Heard heard;
  const auto one_word = +[](Self self, std::string word, Heard* into) -> Task<> {
    auto call = echo::EchoStub(self).Chat();
    EXPECT_TRUE((co_await call.send(say("hello"))).ok());
    auto first = co_await call.next();
    EXPECT_TRUE(first && first->text() == "hello");
    EXPECT_TRUE((co_await call.send(say(word))).ok());
    auto second = co_await call.next();
    EXPECT_FALSE(second);
    into->ended = call.status();
    into->sent = co_await call.send(say("more"));
  };
  spawn(one_word, std::string("enough"), &heard);
  ASSERT_TRUE(heard.ended);
  EXPECT_TRUE(heard.ended->ok());
  EXPECT_EQ(heard.sent.code(), Code::failed_precondition) << heard.sent.to_string();
  spawn(one_word, std::string("fail"), &heard);
  EXPECT_EQ(heard.ended->code(), Code::data_loss);
  EXPECT_EQ(heard.sent.code(), Code::data_loss) << "what the call ended with";
}

TEST_F(CallStreamTest, M5_SendWaitsWhileTheHandlerDoesNotRead) {
  Heard heard;
  spawn(&collect, std::string("do not read"), 100'000, Duration(seconds(3)), &heard);
  advance(milliseconds(2900));
  EXPECT_FALSE(heard.reply);
  EXPECT_EQ(heard.taken, static_cast<int>(limits::stream_credit));
  EXPECT_EQ(workers(), 2U);
  advance(milliseconds(200));
  ASSERT_TRUE(heard.reply && !*heard.reply);
  EXPECT_EQ(heard.reply->error().code(), Code::deadline_exceeded);
  EXPECT_EQ(heard.sent.code(), Code::deadline_exceeded);
  advance(seconds(1));
  EXPECT_EQ(service_->status->code(), Code::cancelled) << "what was not read is no ordinary end";
}

TEST_F(CallStreamTest, M4_TheDeadlineHoldsWhileNobodyWaitsForTheStream) {
  Heard heard;
  spawn(
      [](Self self, Heard* into) -> Task<> {
        CallOptions options;
        options.timeout = seconds(2);
        auto call = echo::EchoStub(self).Chat(options);
        static_cast<void>(co_await sleep(seconds(10)));
        into->sent = co_await call.send(say("late"));
        into->ended = call.status();
      },
      &heard);
  advance(seconds(1));
  EXPECT_EQ(service_->running, 1);
  advance(milliseconds(1100));
  EXPECT_EQ(service_->status->code(), Code::cancelled);
  EXPECT_EQ(workers(), 1U);
  advance(seconds(8));
  EXPECT_EQ(heard.sent.code(), Code::deadline_exceeded);
  EXPECT_EQ(heard.ended->code(), Code::deadline_exceeded);
}

TEST_F(CallStreamTest, AHandlerMayAnswerBeforeItHasReadAll) {
  Heard heard;
  spawn(&collect, std::string("answer early"), 100'000, Duration(seconds(3)), &heard);
  ASSERT_TRUE(heard.reply && *heard.reply);
  EXPECT_EQ((*heard.reply)->count(), 1U);
  EXPECT_EQ(heard.sent.code(), Code::failed_precondition) << heard.sent.to_string();
  EXPECT_LT(heard.taken, 200);
}

TEST_F(CallStreamTest, AHandlerThatDropsItsItemsStopsTheCallerAndStillAnswers) {
  Heard heard;
  spawn(&collect, std::string("take no more"), 100'000, Duration(seconds(3)), &heard);
  EXPECT_FALSE(heard.reply) << "the call goes on";
  EXPECT_EQ(heard.sent.code(), Code::failed_precondition) << heard.sent.to_string();
  EXPECT_NE(heard.sent.message().find("takes no more items"), std::string::npos);
  EXPECT_LT(heard.taken, 200);
  advance(seconds(2));
  ASSERT_TRUE(heard.reply && *heard.reply);
  EXPECT_EQ(node_->dead_letters().total(), 0U) << "what was on its way is expected";
}

TEST_F(CallStreamTest, AHandlerThatThrowsEndsTheStreamWithItsText) {
  Heard heard;
  spawn(&collect, std::string("throw"), 100'000, Duration(seconds(3)), &heard);
  ASSERT_TRUE(heard.reply && !*heard.reply);
  EXPECT_EQ(heard.reply->error().code(), Code::internal);
  EXPECT_EQ(heard.sent.code(), Code::internal);
  EXPECT_NE(heard.sent.message().find("cannot"), std::string::npos);
}

TEST_F(CallStreamTest, ACallerThatLeavesInAnyPhaseFreesBothEnds) {
  const auto leave = +[](Self self, int phase) -> Task<> {
    auto call = echo::EchoStub(self).Collect();
    if (phase == 0) co_return;  // before the handler was made
    EXPECT_TRUE((co_await call.send(say("take your time"))).ok());
    if (phase == 1) co_return;
    static_cast<void>(co_await sleep(seconds(1)));
    if (phase == 2) co_return;
    for (int i = 0; i < 64; ++i) EXPECT_TRUE((co_await call.send(say("1"))).ok());
    if (phase == 3) co_return;
    Scope scope;
    scope.spawn([](auto* to) -> Task<> { static_cast<void>(co_await to->finish()); }(&call));
    static_cast<void>(co_await sleep(seconds(1)));
    scope.cancel();
    static_cast<void>(co_await scope.join());
  };
  for (int phase = 0; phase < 5; ++phase) {
    SCOPED_TRACE(phase);
    spawn(leave, phase);
    for (int i = 0; i < 4; ++i) advance(milliseconds(600));
    EXPECT_EQ(workers(), 0U);
    EXPECT_EQ(node_->calls_running.load(), 0U);
  }
}

TEST_F(CallStreamTest, TheEndOfEitherWorkerEndsTheOther) {
  for (const char* whose : {"caller", "handler"}) {
    SCOPED_TRACE(whose);
    Heard heard;
    spawn(&collect, std::string("do not read"), 100'000, Duration(seconds(30)), &heard);
    ASSERT_EQ(workers(), 2U);
    for (unsigned i = 0; i < node_->shards(); ++i) {
      for (const std::uint32_t slot : {0U, 1U}) {
        for (std::uint32_t life = 1; life < 10; ++life) {
          Worker* const worker = node_->home(i).find(WorkerId::make(i, slot, life));
          if (worker == nullptr || (worker->handled != nullptr) != (whose == std::string("handler")))
            continue;
          node_->run_on(i, [id = worker->id](Home& home) { home.end(*home.find(id), exit_reason::kill()); });
        }
      }
    }
    step();
    advance(seconds(1));
    EXPECT_EQ(workers(), 0U);
    if (whose != std::string("handler")) continue;
    EXPECT_FALSE(heard.sent.ok());
    ASSERT_TRUE(heard.reply && !*heard.reply);
    EXPECT_EQ(heard.reply->error().code(), Code::cancelled);
  }
}

TEST_F(CallStreamTest, ACallerThatIsStoppedCancelsTheCall) {
  Heard heard;
  spawn(&collect, std::string("do not read"), 100'000, Duration(seconds(30)), &heard);
  for (unsigned i = 0; i < node_->shards(); ++i) node_->run_on(i, [](Home& home) { home.stop_idle(); });
  step();
  EXPECT_EQ(heard.sent.code(), Code::cancelled);
  ASSERT_TRUE(heard.reply && !*heard.reply);
  EXPECT_EQ(heard.reply->error().code(), Code::cancelled);
  advance(seconds(1));
}

TEST_F(CallStreamTest, SeveralCoroutinesMaySendAndTheirItemsGoInTurn) {
  Heard heard;
  spawn(
      [](Self self, Heard* into) -> Task<> {
        auto call = echo::EchoStub(self).Chat();
        Scope scope;
        const auto many = +[](Exchange<EchoRequest, EchoReply>* to, std::string name) -> Task<> {
          for (int i = 0; i < 200; ++i) EXPECT_TRUE((co_await to->send(say(name))).ok());
        };
        for (const char* name : {"a", "b", "c"}) scope.spawn(many(&call, name));
        for (int i = 0; i < 600; ++i) {
          auto reply = co_await call.next();
          EXPECT_TRUE(reply);
          if (reply) into->answers.push_back(reply->text());
        }
        static_cast<void>(co_await scope.join());
        call.end();
        auto last = co_await call.next();
        EXPECT_FALSE(last);
        into->ended = call.status();
      },
      &heard);
  ASSERT_TRUE(heard.ended && heard.ended->ok());
  EXPECT_EQ(std::ranges::count(heard.answers, "b"), 200);
}

TEST_F(CallStreamTest, M4_AStreamToWhatNobodyOffersOrTakesOtherwiseFailsAtOnce) {
  std::vector<Status> sent;
  std::vector<Code> answers;
  spawn(
      [](Self self, std::vector<Status>* into, std::vector<Code>* codes) -> Task<> {
        auto nowhere = open_outgoing<EchoRequest, CollectReply>(self, NodeId::none, "no.Such/Thing");
        into->push_back(co_await nowhere.send(say("")));
        auto unary = open_outgoing<EchoRequest, EchoReply>(self, NodeId::none, "echo.Echo/Echo");
        into->push_back(co_await unary.send(say("")));
        auto one = co_await call_method<CollectReply>(self, NodeId::none, "echo.Echo/Collect", say("one"));
        codes->push_back(one ? Code::ok : one.error().code());
        auto items = open_stream<EchoReply>(self, NodeId::none, "echo.Echo/Chat", say("one"));
        auto none = co_await items.next();
        EXPECT_FALSE(none);
        codes->push_back(items.status().code());
        auto exchange = open_outgoing<EchoRequest, EchoReply>(self, NodeId::none, "echo.Echo/Chat");
        EXPECT_TRUE((co_await exchange.send(say("one"))).ok());
        auto reply = co_await exchange.finish();
        codes->push_back(reply ? Code::ok : reply.error().code());
      },
      &sent, &answers);
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(sent[0].code(), Code::not_found);
  EXPECT_EQ(sent[1].code(), Code::invalid_argument);
  EXPECT_EQ(answers, (std::vector{Code::invalid_argument, Code::invalid_argument, Code::internal}));
}

TEST_F(CallStreamTest, WhatIsNotOverriddenAnswersUnimplemented) {
  class Nothing final : public echo::EchoService {};
  node_->add_service(std::make_unique<Nothing>());
  Heard heard;
  spawn(&collect, std::string("0"), 10, Duration(seconds(1)), &heard);
  ASSERT_TRUE(heard.reply && !*heard.reply);
  EXPECT_EQ(heard.reply->error().code(), Code::unimplemented);
  spawn(&chat, 10, &heard);
  EXPECT_EQ(heard.ended->code(), Code::unimplemented);
}

}  // namespace
}  // namespace cobus
