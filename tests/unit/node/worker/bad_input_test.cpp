// SPDX-License-Identifier: Apache-2.0
//
// What goes wrong on purpose: addresses of nobody, messages that are too large, kinds that there are not, and
// handlers that throw, hold their shard or wait for themselves. Each ends at once or at its deadline, with an
// error that says what it was, and the node goes on.
#include <cobus/v1/worker.pb.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "node/cluster/workers_service.hpp"
#include "node/runtime/scope.hpp"
#include "node/worker/self.hpp"
#include "node/worker/spawn.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/test_node.hpp"
#include "tests/support/told_log.hpp"

namespace cobus {
namespace {

using echo::CollectReply;
using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr NodeId nowhere{12345};
std::string too_much() { return std::string(limits::message_bytes_max + 1, 'x'); }

// An override need not be a coroutine, and then throws before there is one.
class Naughty final : public echo::EchoService {
 public:
  explicit Naughty(ManualClock* clock) : clock_(clock) {}
  Task<Result<EchoReply>> Echo(Call call, EchoRequest request) override {
    if (request.text() == "throw at once") throw std::runtime_error("no coroutine yet");
    if (request.text() == "nothing") return {};
    return answer(call, std::move(request));
  }
  Task<Result<CollectReply>> Collect(Call /*call*/, Incoming<EchoRequest> /*requests*/) override {
    throw std::runtime_error("before it read");
  }
  Stream<EchoReply> Chat(Call /*call*/, Incoming<EchoRequest> /*requests*/) override { throw 7; }
  int line = 0;  // where it lets go of the shard

 private:
  Task<Result<EchoReply>> answer(Call call, EchoRequest request) {
    const std::string what = request.text();
    if (what == "throw") throw std::runtime_error("on purpose");
    if (what == "throw 7") throw 7;
    if (what == "throw later") {
      static_cast<void>(co_await sleep(milliseconds(1)));
      throw std::runtime_error("later");
    }
    if (what == "hold") {
      clock_->advance(seconds(1));
      line = __LINE__ + 1;
      co_await yield();
    }
    if (what == "ask itself") co_return co_await echo::EchoStub(call.self()).Echo(std::move(request));
    EchoReply reply;
    reply.set_text(what);
    co_return reply;
  }
  ManualClock* clock_;
};

// Addresses that nobody has, and what they are.
struct Nobody {
  const char* what;
  Address address;
  Code reason;  // of its Down or Exit
  Code sent;    // what a send says
};

class BadInput : public TestNode {
 protected:
  BadInput() : TestNode(2) {
    auto service = std::make_unique<Naughty>(&network_.clock());
    service_ = service.get();
    node_->add_service(std::move(service));
    node_->add_service(make_workers_service(*node_));
    node_->add_kind(make_kind(
        "sleeper",
        +[](Self self, EchoRequest) -> Task<> { static_cast<void>(co_await self.receive<EchoRequest>()); }));
  }
  std::vector<Nobody> nobodies() {
    WorkerId gone;
    spawn(
        +[](Self self, WorkerId* id) -> Task<> {
          *id = self.address().worker;
          co_return;
        },
        &gone);
    const NodeId here = node_->id();
    const WorkerId somebody = WorkerId::make(0, 1, 1);
    return {
        {"one that has ended", {here, gone}, Code::not_found, Code::not_found},
        {"one that never was", {here, WorkerId::make(1, 70'000, 1)}, Code::not_found, Code::not_found},
        {"a shard that there is not", {here, WorkerId::make(200, 1, 1)}, Code::not_found, Code::not_found},
        {"no worker of this node", {here, WorkerId{}}, Code::not_found, Code::invalid_argument},
        {"another life of a node", {nowhere, somebody}, Code::unavailable, Code::ok},
        {"no worker of another node", {nowhere, WorkerId{}}, Code::unavailable, Code::invalid_argument},
        {"no node", {NodeId::none, somebody}, Code::unavailable, Code::ok},
        {"nothing at all", {}, Code::unavailable, Code::invalid_argument},
    };
  }
  // What a worker makes of an address, in no time.
  Status of(Task<Status> (*act)(Self, Address), Address address) {
    Status heard(Code::unknown, "it waits");
    spawn(
        +[](Self self, Task<Status> (*what)(Self, Address), Address to, Status* into) -> Task<> {
          *into = co_await what(self, to);
        },
        act, address, &heard);
    return heard;
  }
  Status echo(const std::string& text) {
    Status heard(Code::unknown, "it waits");
    spawn(
        +[](Self self, std::string say_what, Status* into) -> Task<> {
          const auto reply = co_await echo::EchoStub(self).Echo(say(std::move(say_what)));
          *into = reply ? Status() : reply.error();
        },
        text, &heard);
    advance(milliseconds(2));
    return heard;
  }
  Naughty* service_;
};

Status reason_of(const v1::Status& reason) { return {static_cast<Code>(reason.code()), reason.message()}; }
template <class T>
Status status_of(const Result<T>& result) {
  return result ? Status() : result.error();
}

Task<Status> monitor(Self self, Address to) {
  const MonitorRef ref = self.monitor(to);
  auto down = co_await self.receive<v1::Down>();
  if (!down) co_return down.error();
  EXPECT_EQ((*down)->monitor(), static_cast<std::uint64_t>(ref));
  EXPECT_FALSE(self.try_receive<v1::Down>()) << "one, and no more";
  co_return reason_of((*down)->reason());
}
Task<Status> link(Self self, Address to) {
  self.trap_exits(true);
  self.link(to);
  auto exit = co_await self.receive<v1::Exit>();
  co_return exit ? reason_of((*exit)->reason()) : exit.error();
}

TEST_F(BadInput, W2_AMonitorOfNobodyYieldsItsDownAtOnceWhateverTheAddress) {
  for (const Nobody& nobody : nobodies())
    EXPECT_EQ(of(&monitor, nobody.address).code(), nobody.reason) << nobody.what;
  EXPECT_EQ(workers(), 0U);
}

TEST_F(BadInput, W3_ALinkToNobodyIsAnExitAtOnceWhateverTheAddress) {
  for (const Nobody& nobody : nobodies())
    EXPECT_EQ(of(&link, nobody.address).code(), nobody.reason) << nobody.what;
  EXPECT_EQ(workers(), 0U);
}

TEST_F(BadInput, M3_AMessageToNobodyIsRefusedOrADeadLetterWhateverTheAddress) {
  for (const Nobody& nobody : nobodies()) {
    for (const auto act :
         {+[](Self self, Address to) -> Task<Status> { co_return co_await self.send(to, say("hello?")); },
          +[](Self self, Address to) -> Task<Status> { co_return self.try_send(to, say("hello?")); }}) {
      const std::uint64_t before = node_->dead_letters().total();
      EXPECT_EQ(of(act, nobody.address).code(), nobody.sent) << nobody.what;
      EXPECT_EQ(node_->dead_letters().total() - before, nobody.sent == Code::invalid_argument ? 0U : 1U)
          << nobody.what;
    }
  }
  EXPECT_EQ(workers(), 0U);
}

TEST_F(BadInput, M4_ACallToNobodyFailsAtOnceWhateverTheAddress) {
  const auto ask = +[](Self self, Address to) -> Task<Status> {
    co_return status_of(co_await call_worker<EchoReply>(self, to, say("hello?")));
  };
  for (const Nobody& nobody : nobodies()) {
    const Status heard = of(ask, nobody.address);
    EXPECT_FALSE(heard.ok()) << nobody.what;
    EXPECT_NE(heard.code(), Code::unknown) << nobody.what << ": " << heard.message();
    EXPECT_FALSE(heard.message().empty()) << nobody.what;
    if (nobody.address.node == node_->id())
      EXPECT_EQ(heard.code(), nobody.sent) << nobody.what << ": " << heard.to_string();
  }
  const Status elsewhere = of(
      +[](Self self, Address to) -> Task<Status> {
        co_return status_of(co_await echo::EchoStub(self, to.node).Echo(say("hello?")));
      },
      {nowhere, WorkerId{}});
  EXPECT_TRUE(never_started(elsewhere)) << elsewhere.to_string();
  EXPECT_EQ(workers(), 0U);
}

// A peer may send anything as an address: an exit, an unlink, credit, items.
TEST_F(BadInput, ASignalToNobodyHarmsNobody) {
  for (const Nobody& nobody : nobodies()) {
    for (int kind = 0; kind < 40; ++kind) {
      auto envelope = std::make_unique<SignalEnvelope>();
      envelope->kind = static_cast<v1::Kind>(kind);
      envelope->from = {nowhere, WorkerId::make(0, 1, 1)};
      envelope->to = nobody.address.worker;
      envelope->call = static_cast<std::uint64_t>(kind);
      node_->deliver(std::move(envelope));
      step();
    }
  }
  EXPECT_GT(node_->dead_letters().count(DeadLetter::unknown_kind), 0U);
  EXPECT_EQ(workers(), 0U);
  EXPECT_TRUE(echo("fine").ok());
}

TEST_F(BadInput, M3_WhatIsTooLargeForAnotherNodeIsRefusedAtOnce) {
  const Address to{nowhere, WorkerId::make(0, 1, 1)};
  for (const auto act : {
           +[](Self self, Address there) -> Task<Status> {
             co_return co_await self.send(there, say(too_much()));
           },
           +[](Self self, Address there) -> Task<Status> { co_return self.try_send(there, say(too_much())); },
           +[](Self self, Address there) -> Task<Status> {
             co_return self.send_to_name(there.node, "somebody", say(too_much()));
           },
           +[](Self self, Address there) -> Task<Status> {
             co_return status_of(co_await call_worker<EchoReply>(self, there, say(too_much())));
           },
           +[](Self self, Address there) -> Task<Status> {
             co_return status_of(co_await echo::EchoStub(self, there.node).Echo(say(too_much())));
           },
           +[](Self self, Address there) -> Task<Status> {
             auto collect = echo::EchoStub(self, there.node).Collect();
             co_return co_await collect.send(say(too_much()));
           },
           +[](Self self, Address there) -> Task<Status> {
             co_return status_of(co_await spawn_at(self, there.node, "sleeper", say(too_much())));
           },
       }) {
    const Status heard = of(act, to);
    EXPECT_EQ(heard.code(), Code::out_of_range) << heard.to_string();
    EXPECT_NE(heard.message().find(std::to_string(limits::message_bytes_max)), std::string::npos)
        << "it names the limit: " << heard.message();
  }
  EXPECT_EQ(workers(), 0U);
}

// One that is larger than a whole mailbox is taken by who waits for it, and makes nobody else wait for ever.
TEST_F(BadInput, M5_AMessageLargerThanTheMailboxWaitsForItsReceiver) {
  Address to;
  std::vector<std::size_t> heard;
  spawn(
      +[](Self self, Address* address, std::vector<std::size_t>* into) -> Task<> {
        *address = self.address();
        self.limit_mailbox({.bytes = 1000});
        static_cast<void>(co_await sleep(seconds(1)));
        while (auto message = co_await self.receive<EchoRequest>(seconds(1)))
          into->push_back((*message)->text().size());
      },
      &to, &heard);
  EXPECT_EQ(of(
                +[](Self self, Address there) -> Task<Status> {
                  co_return self.try_send(there, say(std::string(2000, 'x')));
                },
                to)
                .code(),
            to.worker.shard() == 0 ? Code::resource_exhausted : Code::ok);
  for (const std::size_t size : {2000U, 10U, 3000U}) {
    node_->run_on(to.worker.shard(), [to, size](Home& home) {
      auto function = +[](Self self, Address there, std::size_t bytes) -> Task<> {
        EXPECT_TRUE((co_await self.send(there, say(std::string(bytes, 'x')))).ok());
      };
      home.spawn("sender", function, to, size);
    });
    step();
  }
  for (int i = 0; i < 10; ++i) advance(seconds(1));
  std::vector<std::size_t> all{10, 2000, 3000};
  if (to.worker.shard() != 0) all.push_back(2000);  // the first was taken, beyond the bounds
  std::ranges::sort(all);
  std::ranges::sort(heard);
  EXPECT_EQ(heard, all);
  EXPECT_EQ(workers(), 0U);
}

TEST_F(BadInput, AKindThatThereIsNotAndAnArgumentThatIsNoneAreRefused) {
  const auto spawn_it = [this](NodeId at, std::string kind, std::string argument) {
    Status heard(Code::unknown, "it waits");
    spawn(
        +[](Self self, NodeId node, std::string what, std::string with, Status* into) -> Task<> {
          *into = status_of(co_await spawn_encoded(self, node, std::move(what), std::move(with), {}));
        },
        at, std::move(kind), std::move(argument), &heard);
    return heard;
  };
  const Status unknown = spawn_it(node_->id(), "no.Such", "");
  EXPECT_EQ(unknown.code(), Code::not_found);
  EXPECT_NE(unknown.message().find("no.Such"), std::string::npos) << unknown.message();
  EXPECT_EQ(spawn_it(NodeId::none, "no.Such", "").code(), Code::not_found);
  EXPECT_EQ(spawn_it(NodeId::none, "", "").code(), Code::not_found);
  const Status malformed = spawn_it(node_->id(), "sleeper", "\xff\xff");
  EXPECT_EQ(malformed.code(), Code::invalid_argument);
  EXPECT_NE(malformed.message().find("echo.EchoRequest"), std::string::npos) << malformed.message();
  const Status elsewhere = spawn_it(nowhere, "sleeper", "");
  EXPECT_NE(elsewhere.code(), Code::unknown);
  EXPECT_FALSE(elsewhere.ok());
  EXPECT_EQ(workers(), 0U);
}

TEST_F(BadInput, W5_WhateverAHandlerThrowsItsCallerIsToldAndTheNodeGoesOn) {
  const std::pair<const char*, const char*> told[] = {{"throw", "on purpose"},
                                                      {"throw 7", "not a std::exception"},
                                                      {"throw later", "later"},
                                                      {"throw at once", "no coroutine yet"},
                                                      {"nothing", "empty"}};
  for (const auto& [what, words] : told) {
    const Status heard = echo(what);
    EXPECT_EQ(heard.code(), Code::internal) << what;
    EXPECT_NE(heard.message().find(words), std::string::npos) << what << ": " << heard.message();
  }
  const Status collected = of(
      +[](Self self, Address) -> Task<Status> {
        auto collect = echo::EchoStub(self).Collect();
        co_return status_of(co_await collect.finish());
      },
      {});
  EXPECT_EQ(collected.to_string(), "INTERNAL: the handler threw: before it read");
  const Status chatted = of(
      +[](Self self, Address) -> Task<Status> {
        auto chat = echo::EchoStub(self).Chat();
        EXPECT_FALSE(co_await chat.next());
        co_return chat.status();
      },
      {});
  EXPECT_EQ(chatted.code(), Code::internal) << chatted.to_string();
  EXPECT_TRUE(echo("fine").ok());
  EXPECT_EQ(workers(), 0U);
  EXPECT_EQ(node_->calls_running.load(), 0U);
}

TEST_F(BadInput, W5_WhateverAWorkerThrowsEndsItAlone) {
  Status reason;
  spawn(
      +[](Self self, Status* into) -> Task<> {
        const Spawned thrower = self.spawn_monitor(
            "thrower", +[](Self) -> Task<> {
              co_await yield();
              throw 7;
            });
        auto down = co_await self.receive<v1::Down>();
        EXPECT_EQ((*down)->monitor(), static_cast<std::uint64_t>(thrower.monitor));
        *into = reason_of((*down)->reason());
        EXPECT_THROW(self.spawn("empty", +[](Self) -> Task<> { return {}; }), std::invalid_argument);
        EXPECT_THROW(self.spawn("no coroutine", +[](Self) -> Task<> { throw 7; }), int);
        Task<> once = []() -> Task<> { co_return; }();
        co_await std::move(once);
        bool refused = false;
        try {
          co_await std::move(once);
        } catch (const std::logic_error&) {
          refused = true;
        }
        EXPECT_TRUE(refused) << "a task is awaited once";
      },
      &reason);
  EXPECT_EQ(reason.code(), Code::internal);
  EXPECT_EQ(reason.message(), "something that is not a std::exception");
  node_->spawn("no coroutine", +[](Self) -> Task<> { throw 7; });
  node_->spawn("empty", +[](Self) -> Task<> { return {}; });
  step();
  EXPECT_EQ(workers(), 0U);
}

TEST_F(BadInput, W8_AHandlerThatNeverAwaitsIsToldOfByKindAndLine) {
  const ToldLog log;
  EXPECT_TRUE(echo("hold").ok());
  EXPECT_TRUE(
      log.says("(echo.Echo/Echo) held its shard for 1000 ms, until it came to "
               "tests/unit/node/worker/bad_input_test.cpp:" +
               std::to_string(service_->line) + ";"))
      << log.text();
}

// Nobody else reads what it sends to itself.
TEST_F(BadInput, M4_AWorkerThatAsksItselfAndWaitsHearsSoAtTheDeadline) {
  Status heard;
  spawn(
      +[](Self self, Status* into) -> Task<> {
        CallOptions options;
        options.timeout = seconds(1);
        *into = status_of(co_await call_worker<EchoReply>(self, self.address(), say("me"), options));
        EXPECT_FALSE(self.try_receive<EchoRequest>()) << "the request is taken back";
      },
      &heard);
  EXPECT_EQ(workers(), 1U);
  advance(seconds(2));
  EXPECT_EQ(heard.code(), Code::deadline_exceeded);
  EXPECT_EQ(workers(), 0U);
}

// A handler that asks itself without end: the deadline of the first caller is that of all.
TEST_F(BadInput, M4_AHandlerThatAsksItsOwnMethodEndsAtTheDeadline) {
  Status heard;
  node_->spawn(
      "caller",
      +[](Self self, Status* into) -> Task<> {
        CallOptions options;
        options.timeout = milliseconds(10);
        *into = status_of(co_await echo::EchoStub(self).Echo(say("ask itself"), options));
      },
      &heard);
  for (int i = 0; i < 100; ++i) {
    network_.clock().advance(milliseconds(1));
    node_->step();
  }
  step();
  EXPECT_EQ(heard.code(), Code::deadline_exceeded);
  EXPECT_EQ(workers(), 0U);
}

}  // namespace
}  // namespace cobus
