// SPDX-License-Identifier: Apache-2.0
#include "node/worker/call.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>

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

class Service final : public echo::EchoService {
 public:
  // As if the .proto said timeout_ms: 2000 of Echo.
  const ServiceInfo& info() const override {
    static const ServiceInfo info = [this] {
      ServiceInfo own = echo::EchoService::info();
      own.methods.front().options.set_timeout_ms(2000);
      return own;
    }();
    return info;
  }
  Task<Result<EchoReply>> Echo(Call call, EchoRequest request) override {
    if (request.text() == "throw") throw std::runtime_error("cannot");
    if (request.text() == "throw at length") throw std::runtime_error(std::string(2'000'000, 'x'));
    if (request.text() == "passed on") {
      Status other(Code::unavailable, "another node stops");
      co_return fail(other.with("started", "no").with("cause", "connection").with("mine", "kept"));
    }
    if (request.text() == "progress") call.progress(0.5);
    if (request.text() == "never") {
      while (!call.stop_requested()) static_cast<void>(co_await sleep(seconds(1)));
      ++cancelled;
      co_return fail(Code::cancelled, "as asked");
    }
    EchoReply reply;
    reply.set_text(request.text());
    co_return reply;
  }
  int cancelled = 0;
};

class Lines final : public text::TextService {
 public:
  Stream<text::Line> Grep(Call /*call*/, text::GrepRequest request) override {
    for (std::uint64_t i = 1; request.pattern() == "endless" || request.pattern() == "large" || i <= 1000;
         ++i) {
      text::Line line;
      line.set_number(i);
      if (request.pattern() == "large") line.set_text(std::string(limits::message_bytes_max, 'x'));
      ++made;
      co_yield line;
    }
  }
  std::uint64_t made = 0;
};

class CallTest : public TestNode {
 protected:
  CallTest() : TestNode(2) {
    auto service = std::make_unique<Service>();
    service_ = service.get();
    node_->add_service(std::move(service));
    auto lines = std::make_unique<Lines>();
    lines_ = lines.get();
    node_->add_service(std::move(lines));
  }
  Service* service_;
  Lines* lines_;
};

Task<> call_once(Self self, std::string text, Duration timeout, std::optional<Result<EchoReply>>* into) {
  CallOptions options;
  options.timeout = timeout;
  *into = co_await echo::EchoStub(self).Echo(say(std::move(text)), options);
}

TEST_F(CallTest, M4_ACallIsAnswered) {
  std::optional<Result<EchoReply>> reply;
  spawn(&call_once, std::string("hello"), seconds(1), &reply);
  ASSERT_TRUE(reply && *reply);
  EXPECT_EQ((*reply)->text(), "hello");
  EXPECT_EQ(workers(), 0U);
  EXPECT_EQ(node_->calls_running.load(), 0U);
}

TEST_F(CallTest, W5_AHandlerThatThrowsAnswersInternalWithItsText) {
  std::optional<Result<EchoReply>> reply;
  spawn(&call_once, std::string("throw"), seconds(1), &reply);
  ASSERT_TRUE(reply && !*reply);
  EXPECT_EQ(reply->error().code(), Code::internal);
  EXPECT_NE(reply->error().message().find("cannot"), std::string::npos);
}

TEST_F(CallTest, M4_ACallEndsAtItsDeadlineAndTheHandlerIsCancelled) {
  std::optional<Result<EchoReply>> reply;
  spawn(&call_once, std::string("never"), seconds(2), &reply);
  advance(milliseconds(1900));
  EXPECT_FALSE(reply);
  advance(milliseconds(200));
  ASSERT_TRUE(reply && !*reply);
  EXPECT_EQ(reply->error().code(), Code::deadline_exceeded);
  EXPECT_EQ(service_->cancelled, 1);
  EXPECT_EQ(workers(), 0U);
}

Task<> call_without_a_timeout(Self self, NodeId node, std::optional<Result<EchoReply>>* into) {
  *into = co_await echo::EchoStub(self, node).Echo(say("never"));
}

TEST_F(CallTest, M4_ACallThatSetsNoTimeoutHasThatOfItsMethod) {
  for (const NodeId node : {NodeId::none, node_->id()}) {
    std::optional<Result<EchoReply>> reply;
    spawn(&call_without_a_timeout, node, &reply);
    advance(milliseconds(1900));
    EXPECT_FALSE(reply);
    advance(milliseconds(200));
    ASSERT_TRUE(reply && !*reply);
    EXPECT_EQ(reply->error().code(), Code::deadline_exceeded);
  }
  std::optional<Result<EchoReply>> patient;
  spawn(&call_once, std::string("never"), seconds(60), &patient);
  advance(seconds(50));
  EXPECT_FALSE(patient) << "the caller's own limit counts";
}

TEST(ErrorOfACall, IsUnknownWithoutACode) {
  SignalEnvelope error;
  error.kind = v1::ERROR;
  error.from = Address{NodeId{7}, WorkerId::make(0, 1, 1)};
  EXPECT_EQ(detail::error_of(error).code(), Code::unknown);
  EXPECT_NE(detail::error_of(error).message(), "");
  error.extra().status = Status(Code::ok, "it went wrong");
  EXPECT_EQ(detail::error_of(error), Status(Code::unknown, "it went wrong"));
  error.kind = v1::END;
  EXPECT_TRUE(detail::error_of(error).ok()) << "a stream that ended well";
}

TEST_F(CallTest, M4_ACallToWhatNobodyOffersFailsAtOnce) {
  std::optional<Status> status;
  spawn(
      [](Self self, std::optional<Status>* into) -> Task<> {
        auto reply = co_await call_method<EchoReply>(self, NodeId::none, "no.Such/Thing", say(""), {});
        *into = reply ? Status() : reply.error();
      },
      &status);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code(), Code::not_found);
}

Task<> call_what_is_not_there(Self self, Status* into) {
  auto reply = co_await call_envelope(self, self.node().id(), "echo.Echo/Sing",
                                      std::make_unique<EncodedEnvelope>(TypeId::none, std::string()), {});
  *into = reply ? Status() : reply.error();
}

TEST_F(CallTest, ARefusalBeforeTheHandlerBeganSaysThatNothingWasDone) {
  Status refused;
  spawn(&call_what_is_not_there, &refused);
  EXPECT_EQ(refused.code(), Code::unimplemented);
  EXPECT_TRUE(never_started(refused));
  std::optional<Result<EchoReply>> reply;
  spawn(&call_once, std::string("passed on"), Duration(-1), &reply);
  ASSERT_TRUE(reply && !*reply);
  EXPECT_EQ(reply->error().code(), Code::unavailable);
  EXPECT_FALSE(never_started(reply->error())) << "that was said of the call which the handler made";
  EXPECT_EQ(reply->error().detail("cause"), "");
  EXPECT_EQ(reply->error().detail("mine"), "kept");
}

TEST_F(CallTest, AStreamArrivesInOrderAndEnds) {
  std::uint64_t last = 0;
  spawn(
      [](Self self, std::uint64_t* into) -> Task<> {
        auto lines = text::TextStub(self).Grep(text::GrepRequest());
        while (auto line = co_await lines.next()) {
          EXPECT_EQ(line->number(), *into + 1);
          *into = line->number();
        }
        EXPECT_TRUE(lines.status().ok());
      },
      &last);
  EXPECT_EQ(last, 1000U);
  EXPECT_EQ(workers(), 0U);
}

TEST_F(CallTest, AConsumerThatLeavesEarlyEndsTheProducerAndCreditBoundsIt) {
  spawn([](Self self) -> Task<> {
    text::GrepRequest request;
    request.set_pattern("endless");
    auto lines = text::TextStub(self).Grep(std::move(request));
    for (int i = 0; i < 10; ++i) static_cast<void>(co_await lines.next());
    EXPECT_TRUE((co_await sleep(seconds(1))).ok());
  });
  advance(seconds(2));
  EXPECT_LE(lines_->made, 2 * limits::stream_credit);
  EXPECT_EQ(workers(), 0U);
}

// What a node gets from another one, envelope by envelope.
class CallFromAfar : public CallTest {
 protected:
  static constexpr NodeId afar{77};
  static constexpr WorkerId caller = WorkerId::make(0, 1, 1);

  EnvelopePtr request(std::string method, std::string text, std::uint64_t call, std::uint32_t credit = 1) {
    text::GrepRequest grep;
    grep.set_pattern(text);
    EnvelopePtr envelope;
    if (method == "text.Text/Grep") {
      envelope = std::make_unique<TypedEnvelope<text::GrepRequest>>(grep);
    } else {
      envelope = std::make_unique<TypedEnvelope<EchoRequest>>(say(std::move(text)));
    }
    envelope->kind = v1::REQUEST;
    envelope->from = Address{afar, caller};
    envelope->call = call;
    envelope->extra().to_name = std::move(method);
    envelope->extra().credit = credit;
    return envelope;
  }
  static EnvelopePtr signal(v1::Kind kind, std::uint64_t call, WorkerId to = {}, std::uint32_t credit = 0) {
    auto envelope = std::make_unique<SignalEnvelope>();
    envelope->kind = kind;
    envelope->from = Address{afar, caller};
    envelope->to = to;
    envelope->call = call;
    envelope->extra().credit = credit;
    return envelope;
  }
};

TEST_F(CallFromAfar, ACancelRightBehindTheRequestEndsTheHandler) {
  node_->deliver(request("text.Text/Grep", "endless", 1));
  node_->deliver(signal(v1::CANCEL, 1));
  step();
  EXPECT_EQ(workers(), 0U);
  EXPECT_EQ(node_->calls_running.load(), 0U);
}

TEST_F(CallFromAfar, TheLossOfTheCallerRightBehindTheRequestEndsTheHandler) {
  node_->deliver(request("text.Text/Grep", "endless", 1));
  for (unsigned i = 0; i < node_->shards(); ++i)
    node_->run_on(i, [](Home& home) { home.peer_lost(afar, Status(Code::unavailable, "gone")); });
  step();
  EXPECT_EQ(workers(), 0U);
}

TEST_F(CallFromAfar, ANumberThatIsInUseIsNotTakenTwice) {
  for (int i = 0; i < 10; ++i) {
    node_->home(0).receive(request("text.Text/Grep", "endless", 1));
  }
  step();
  EXPECT_EQ(workers(), 1U);
  node_->deliver(signal(v1::CANCEL, 1));
  step();
  EXPECT_EQ(workers(), 0U);
  EXPECT_EQ(node_->calls_running.load(), 0U);
}

TEST_F(CallFromAfar, M5_OnePeerHasABoundedNumberOfCalls) {
  for (std::uint64_t i = 1; i <= 30'000; ++i) node_->home(0).receive(request("text.Text/Grep", "endless", i));
  EXPECT_EQ(node_->calls_running.load(), 25'000U);
  node_->run_on(0, [](Home& home) { home.peer_lost(afar, Status(Code::unavailable, "gone")); });
  step();
  EXPECT_EQ(workers(), 0U);
  EXPECT_EQ(node_->calls_running.load(), 0U);
}

TEST_F(CallFromAfar, M5_RequestsThatNameNoCallerAreBoundedAndEndWithTheirPeerToo) {
  for (int i = 1; i <= 30'000; ++i) {
    EnvelopePtr nameless = request("echo.Echo/Echo", "never", 7);
    nameless->from.worker = WorkerId{};
    node_->home(0).receive(std::move(nameless));
  }
  EXPECT_EQ(node_->calls_running.load(), 25'000U);
  node_->run_on(0, [](Home& home) { home.peer_lost(afar, Status(Code::unavailable, "gone")); });
  step();
  EXPECT_EQ(workers(), 0U);
  EXPECT_EQ(node_->calls_running.load(), 0U);
}

TEST_F(CallFromAfar, CreditIsTakenFromTheCallerOnly) {
  node_->home(0).receive(request("text.Text/Grep", "endless", 1, 2));
  step();
  EXPECT_EQ(lines_->made, 2U);
  const WorkerId handler = WorkerId::make(0, 0, 1);
  ASSERT_NE(node_->home(0).find(handler), nullptr);
  node_->deliver(signal(v1::CREDIT, 2, handler, 5));  // of another call
  node_->deliver(signal(v1::CREDIT, 1, handler, 0));
  EnvelopePtr stranger = signal(v1::CREDIT, 1, handler, 5);
  stranger->from.node = NodeId{78};
  node_->deliver(std::move(stranger));
  step();
  EXPECT_EQ(lines_->made, 2U);
  node_->deliver(signal(v1::CREDIT, 1, handler, 3));
  step();
  EXPECT_EQ(lines_->made, 5U);
}

TEST_F(CallFromAfar, AnItemThatIsTooLargeEndsItsStreamAtTheProducerToo) {
  node_->home(0).receive(request("text.Text/Grep", "large", 1, 64));
  step();
  EXPECT_EQ(lines_->made, 1U);
  EXPECT_EQ(workers(), 0U);
}

TEST_F(CallFromAfar, OnlyNodesAndAdministratorsReachIntoWorkers) {
  std::optional<Status> heard;
  Address target;
  spawn(
      [](Self self, Address* address, std::optional<Status>* into) -> Task<> {
        *address = self.address();
        auto message = co_await self.receive<EchoRequest>(seconds(10));
        *into = message ? Status() : message.error();
      },
      &target, &heard);
  EnvelopePtr asked = request("", "into a worker", 1);
  asked->to = target.worker;
  asked->extra().caller.role = v1::OBSERVE;
  node_->deliver(std::move(asked));
  step();
  EXPECT_FALSE(heard);
  EnvelopePtr allowed = request("", "into a worker", 2);
  allowed->to = target.worker;
  allowed->extra().caller.role = v1::NODE;
  node_->deliver(std::move(allowed));
  step();
  ASSERT_TRUE(heard);
  EXPECT_TRUE(heard->ok());
}

TEST(WireHeader, AStatusThatIsTooLongIsCutToWhatAFrameHasRoomFor) {
  SignalEnvelope envelope;
  envelope.kind = v1::ERROR;
  std::string text;
  while (text.size() < 1'000'000) text += "ä";
  envelope.extra().status = Status(Code::internal, text);
  std::string status;
  const EnvelopeHeader header = wire_header(envelope, TimePoint{}, status);
  EXPECT_LE(header.status.size(), limits::status_bytes_max);
  const Status read = decode_status(header.status);
  EXPECT_EQ(read.code(), Code::internal);
  EXPECT_TRUE(read.message().ends_with("ä ... (1000000 bytes)")) << read.message().substr(4000);
}

TEST_F(CallTest, W5_WhatOnProgressThrowsEndsThatCallOnly) {
  std::optional<Status> status;
  spawn(
      [](Self self, std::optional<Status>* into) -> Task<> {
        CallOptions options;
        options.on_progress = [](const v1::Progress&) { throw std::runtime_error("cannot show it"); };
        auto reply = co_await echo::EchoStub(self).Echo(say("progress"), std::move(options));
        *into = reply ? Status() : reply.error();
      },
      &status);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code(), Code::internal);
  EXPECT_NE(status->message().find("cannot show it"), std::string::npos);
  EXPECT_EQ(workers(), 0U);
}

TEST_F(CallTest, ATimeoutBeyondAllTimeIsNone) {
  std::optional<Result<EchoReply>> reply;
  spawn(&call_once, std::string("hello"), Duration::max(), &reply);
  ASSERT_TRUE(reply && *reply);
}

}  // namespace
}  // namespace cobus
