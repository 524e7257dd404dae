// SPDX-License-Identifier: Apache-2.0
//
// The handler's end of what a caller streams, and both ends against somebody who does not keep to the
// protocol: envelope by envelope, as they come from another node.
#include "node/worker/incoming.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "echo.cobus.h"
#include "node/worker/self.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using echo::CollectReply;
using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::seconds;

// Reads when it is told to.
class Service final : public echo::EchoService {
 public:
  Task<Result<CollectReply>> Collect(Call /*call*/, Incoming<EchoRequest> requests) override {
    CollectReply reply;
    while (!reads) {
      const Status slept = co_await sleep(seconds(1));
      if (!slept.ok()) break;
    }
    while (std::optional<EchoRequest> request = co_await requests.next()) {
      ++read;
      reply.set_count(reply.count() + 1);
    }
    status = requests.status();
    co_return reply;
  }
  Stream<EchoReply> Chat(Call /*call*/, Incoming<EchoRequest> requests) override {
    while (co_await requests.next()) co_yield EchoReply();
    status = requests.status();
  }
  bool reads = true;
  int read = 0;
  std::optional<Status> status;
};

class IncomingFromAfar : public TestNode {
 protected:
  static constexpr NodeId afar{77};
  static constexpr WorkerId caller = WorkerId::make(0, 1, 1);
  static constexpr WorkerId handler = WorkerId::make(0, 0, 1);

  IncomingFromAfar() {
    auto service = std::make_unique<Service>();
    service_ = service.get();
    node_->add_service(std::move(service));
  }
  EnvelopePtr envelope(v1::Kind kind, EnvelopePtr made = std::make_unique<SignalEnvelope>()) {
    made->kind = kind;
    made->flags = v1::UPSTREAM;
    made->from = Address{afar, caller};
    made->to = handler;
    made->call = 1;
    return made;
  }
  EnvelopePtr item(const std::string& text = "x") {
    return envelope(v1::ITEM, std::make_unique<TypedEnvelope<EchoRequest>>(say(text)));
  }
  EnvelopePtr request(const std::string& method) {
    EnvelopePtr made = envelope(v1::REQUEST);
    made->to = {};
    made->extra().to_name = method;
    made->extra().credit = 1;
    return made;
  }
  void deliver(EnvelopePtr made) { node_->deliver(std::move(made)); }
  void begin(const std::string& method = "echo.Echo/Collect") {
    deliver(request(method));
    step();
    ASSERT_NE(node_->home(0).find(handler), nullptr);
  }
  void expect_over() {
    EXPECT_EQ(workers(), 0U);
    EXPECT_EQ(node_->calls_running.load(), 0U);
  }
  std::uint64_t dead(DeadLetter why) { return node_->dead_letters().count(why); }
  Service* service_;
};

TEST_F(IncomingFromAfar, ItemsAndTheirEndReachTheHandler) {
  begin();
  for (int i = 0; i < 3; ++i) deliver(item());
  step();
  EXPECT_EQ(service_->read, 3);
  EXPECT_EQ(workers(), 1U);
  deliver(envelope(v1::END));
  step();
  EXPECT_TRUE(service_->status->ok());
  expect_over();
}

TEST_F(IncomingFromAfar, M5_AnItemWithoutCreditEndsTheCall) {
  service_->reads = false;
  begin();
  for (std::uint32_t i = 0; i < limits::stream_credit; ++i) deliver(item());
  step();
  EXPECT_EQ(workers(), 1U) << "what was given credit for is welcome";
  deliver(item());
  step();
  EXPECT_EQ(service_->status->code(), Code::resource_exhausted);
  EXPECT_EQ(service_->read, 0) << "and what waits is freed";
  expect_over();
  for (int i = 0; i < 1000; ++i) deliver(item());
  step();
  EXPECT_EQ(dead(DeadLetter::late), 1000U);
}

TEST_F(IncomingFromAfar, M5_WhatWaitsIsBoundedInBytesToo) {
  service_->reads = false;
  begin();
  EchoRequest large = say(std::string(900'000, 'x'));
  const auto encoded = [&] {
    return envelope(v1::ITEM,
                    std::make_unique<EncodedEnvelope>(type_id_of<EchoRequest>(), large.SerializeAsString()));
  };
  deliver(encoded());
  deliver(encoded());
  step();
  EXPECT_EQ(workers(), 1U);
  deliver(encoded());
  step();
  EXPECT_EQ(service_->status->code(), Code::resource_exhausted);
  expect_over();
}

TEST_F(IncomingFromAfar, CreditIsGivenAsItemsAreRead) {
  begin();
  for (int round = 0; round < 10; ++round) {
    for (std::uint32_t i = 0; i < limits::stream_credit / 2; ++i) deliver(item());
    step();
  }
  EXPECT_EQ(service_->read, static_cast<int>(5 * limits::stream_credit));
  EXPECT_EQ(workers(), 1U);
  deliver(envelope(v1::CANCEL));  // of the callee's kind: it is nobody's here
  EnvelopePtr cancel = envelope(v1::CANCEL);
  cancel->flags = 0;
  cancel->to = {};
  deliver(std::move(cancel));
  step();
  EXPECT_EQ(service_->status->code(), Code::cancelled);
  expect_over();
}

TEST_F(IncomingFromAfar, OnlyTheCallerOfACallMayStreamToIt) {
  begin();
  EnvelopePtr other_node = item();
  other_node->from.node = NodeId{78};
  EnvelopePtr other_worker = item();
  other_worker->from.worker = WorkerId::make(0, 2, 1);
  EnvelopePtr other_call = envelope(v1::END);
  other_call->call = 2;
  EnvelopePtr to_nobody = item();
  to_nobody->to = WorkerId::make(0, 5, 1);
  for (EnvelopePtr* stranger : {&other_node, &other_worker, &other_call, &to_nobody})
    deliver(std::move(*stranger));
  step();
  EXPECT_EQ(service_->read, 0);
  EXPECT_EQ(workers(), 1U);
  EXPECT_EQ(dead(DeadLetter::not_allowed), 3U);
  EXPECT_EQ(dead(DeadLetter::late), 1U);
  deliver(envelope(v1::END));
  step();
  expect_over();
}

TEST_F(IncomingFromAfar, AWorkerThatTakesNoItemsGetsNone) {
  Address target;
  spawn(
      [](Self self, Address* address) -> Task<> {
        *address = self.address();
        static_cast<void>(co_await sleep(seconds(1)));
      },
      &target);
  EnvelopePtr stray = item();
  stray->to = target.worker;
  deliver(std::move(stray));
  step();
  EXPECT_EQ(dead(DeadLetter::not_allowed), 1U);
  advance(seconds(2));
}

TEST_F(IncomingFromAfar, AMalformedItemEndsTheCallWithInvalidArgument) {
  begin();
  deliver(item());
  deliver(envelope(v1::ITEM, std::make_unique<EncodedEnvelope>(type_id_of<EchoRequest>(), "\xff\xff")));
  deliver(item());
  step();
  EXPECT_EQ(service_->status->code(), Code::invalid_argument);
  EXPECT_EQ(service_->read, 1);
  expect_over();
}

TEST_F(IncomingFromAfar, AnItemOfAnotherTypeEndsTheCallAndOneWithoutATypeIsTaken) {
  begin();
  std::string bytes;
  say("no type").SerializeToString(&bytes);
  deliver(envelope(v1::ITEM, std::make_unique<EncodedEnvelope>(TypeId::none, bytes)));
  step();
  EXPECT_EQ(service_->read, 1);
  deliver(envelope(v1::ITEM, std::make_unique<TypedEnvelope<EchoReply>>()));
  deliver(envelope(v1::END));
  step();
  EXPECT_EQ(service_->status->code(), Code::invalid_argument) << "also when the end came behind it";
  expect_over();
}

TEST_F(IncomingFromAfar, WhatComesBehindTheEndIsDropped) {
  service_->reads = false;
  begin();
  deliver(item());
  deliver(envelope(v1::END));
  deliver(envelope(v1::END));
  deliver(item());
  step();
  EXPECT_EQ(dead(DeadLetter::late), 1U);
  service_->reads = true;
  advance(seconds(2));
  EXPECT_EQ(service_->read, 1);
  EXPECT_TRUE(service_->status->ok());
  expect_over();
}

TEST_F(IncomingFromAfar, ACancelBehindTheEndIsNoOrdinaryEndForWhoHasNotReadAll) {
  service_->reads = false;
  begin();
  deliver(item());
  deliver(envelope(v1::END));
  EnvelopePtr cancel = envelope(v1::CANCEL);
  cancel->flags = 0;
  cancel->to = {};
  deliver(std::move(cancel));
  step();
  EXPECT_EQ(service_->status->code(), Code::cancelled);
  EXPECT_EQ(service_->read, 0);
  expect_over();
}

TEST_F(IncomingFromAfar, ACancelOrALossRightBehindTheRequestEndsTheHandler) {
  for (const bool lost : {false, true}) {
    deliver(request("echo.Echo/Collect"));
    if (lost) {
      node_->run_on(0, [](Home& home) { home.peer_lost(afar, Status(Code::unavailable, "gone")); });
    } else {
      EnvelopePtr cancel = envelope(v1::CANCEL);
      cancel->flags = 0;
      cancel->to = {};  // whoever handles the call
      deliver(std::move(cancel));
    }
    step();
    EXPECT_EQ(service_->status->code(), Code::cancelled);
    expect_over();
  }
}

TEST_F(IncomingFromAfar, TheLossOfTheCallersNodeEndsTheHandlerAtOnce) {
  for (const char* method : {"echo.Echo/Collect", "echo.Echo/Chat"}) {
    deliver(request(method));
    step();
    EXPECT_EQ(workers(), 1U);
    node_->run_on(0, [](Home& home) { home.peer_lost(afar, Status(Code::unavailable, "gone")); });
    step();
    ASSERT_TRUE(service_->status);
    EXPECT_EQ(std::exchange(service_->status, {})->code(), Code::cancelled);
    expect_over();
  }
}

TEST_F(IncomingFromAfar, ACallerThatReadsNothingHoldsTheHandlerAndItsOwnItemsOnly) {
  begin("echo.Echo/Chat");  // with credit for one answer
  for (std::uint32_t i = 0; i < limits::stream_credit + 2; ++i) deliver(item());
  step();
  expect_over();  // two were read, and one more was sent than that leaves room for
}

TEST_F(IncomingFromAfar, AnAnswerThatThePeerHasNoRoomForEndsItsStream) {
  begin("echo.Echo/Chat");
  std::string chunk;
  std::string status;
  TypedEnvelope<EchoReply> answer;
  answer.kind = v1::ITEM;
  answer.from = Address{node_->id(), handler};
  answer.to = caller;
  const auto not_sent = [&](std::uint64_t call, Code why) {
    answer.call = call;
    chunk.clear();
    append_envelope(chunk, wire_header(answer, TimePoint{}, status), 0, [](std::uint8_t*) {});
    node_->on_undeliverable(afar, chunk, Status(why, "8 MiB wait for it already"));
    step();
  };
  not_sent(2, Code::resource_exhausted);  // of another call
  not_sent(1, Code::unavailable);         // the loss of the node ends all its calls
  EXPECT_EQ(workers(), 1U);
  not_sent(1, Code::resource_exhausted);
  expect_over();
}

TEST_F(IncomingFromAfar, AStreamFromNobodyIsNotBegun) {
  for (const char* method : {"echo.Echo/Collect", "echo.Echo/Chat"}) {
    EnvelopePtr made = request(method);
    made->from.worker = {};
    deliver(std::move(made));
  }
  step();
  expect_over();
  EXPECT_EQ(dead(DeadLetter::not_allowed), 2U);
}

TEST_F(IncomingFromAfar, TheFlagChangesNothingOfOtherKinds) {
  for (const v1::Kind kind : {v1::REPLY, v1::ERROR, v1::MESSAGE, v1::MONITOR, v1::DOWN, v1::EXIT}) {
    deliver(envelope(kind));
  }
  for (const v1::Kind kind : {v1::ITEM, v1::END, v1::CREDIT, v1::CANCEL}) {
    EnvelopePtr made = envelope(kind);
    made->to = {};
    deliver(std::move(made));
  }
  step();
  expect_over();
}

// The caller's end: what it makes of a callee. Both are of this node here, so that the test can speak for
// the handler.
class CallerOfAnybody : public IncomingFromAfar {
 protected:
  EnvelopePtr from_callee(v1::Kind kind, WorkerId from, std::uint32_t credit = 0) {
    EnvelopePtr made = envelope(kind);
    made->from = Address{node_->id(), from};
    made->to = call_.worker;
    made->call = (std::uint64_t{1} << 24);  // the first call of its shard
    if (credit != 0) made->extra().credit = credit;
    return made;
  }
  Address call_;
};

TEST_F(CallerOfAnybody, CreditIsTakenFromTheHandlerOnlyAndNeverOverflows) {
  service_->reads = false;
  int sent = 0;
  spawn(
      [](Self self, int* count, Address* address) -> Task<> {
        *address = self.address();
        auto call = echo::EchoStub(self).Collect();
        for (;;) {
          const Status status = co_await call.send(say("x"));
          if (!status.ok()) co_return;
          ++*count;
        }
      },
      &sent, &call_);
  ASSERT_EQ(sent, static_cast<int>(limits::stream_credit));
  deliver(from_callee(v1::CREDIT, WorkerId::make(0, 7, 7), 1000));
  deliver(from_callee(v1::CREDIT, {}, 1000));
  EnvelopePtr stranger = from_callee(v1::CREDIT, handler, 1000);
  stranger->from.node = afar;
  deliver(std::move(stranger));
  step();
  EXPECT_EQ(sent, static_cast<int>(limits::stream_credit));
  EXPECT_EQ(dead(DeadLetter::late), 1U) << "from a node that was not called";
  Worker* const made = node_->home(0).find(call_.worker);
  ASSERT_NE(made, nullptr);
  node_->run_on(0, [made](Home& home) { home.end(*made, exit_reason::kill()); });
  step();
  expect_over();
}

TEST_F(CallerOfAnybody, M5_ACalleeThatSendsWithoutCreditIsLeft) {
  std::optional<Status> ended;
  spawn(
      [](Self self, std::optional<Status>* status, Address* address) -> Task<> {
        *address = self.address();
        auto call = echo::EchoStub(self).Chat();
        static_cast<void>(co_await sleep(seconds(1)));
        int items = 0;
        while (co_await call.next()) ++items;
        EXPECT_EQ(items, static_cast<int>(limits::stream_credit));
        *status = call.status();
      },
      &ended, &call_);
  for (std::uint32_t i = 0; i < limits::stream_credit + 1; ++i) {
    EnvelopePtr made = std::make_unique<TypedEnvelope<EchoReply>>();
    made->kind = v1::ITEM;
    made->from = Address{node_->id(), handler};
    made->to = call_.worker;
    made->call = std::uint64_t{1} << 24;
    deliver(std::move(made));
  }
  step();
  EXPECT_EQ(service_->status->code(), Code::cancelled) << "it is told at once";
  advance(seconds(2));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code(), Code::resource_exhausted);
  expect_over();
}

}  // namespace
}  // namespace cobus
