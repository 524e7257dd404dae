// SPDX-License-Identifier: Apache-2.0
//
// W7: a worker is put into each wait that there is and asked to stop. It goes on at once, without any time
// passing, ends, and leaves what it waited for sound. Functions in the pool: offload_test.cpp; the wait for
// the ledger: dispatcher_test.cpp and jobs_service_test.cpp. A new awaitable gets a line in `waits`.
#include "node/runtime/stop.hpp"

#include <cobus/v1/worker.cobus.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "echo.cobus.h"
#include "node/runtime/all.hpp"
#include "node/runtime/any.hpp"
#include "node/runtime/channel.hpp"
#include "node/runtime/completion.hpp"
#include "node/runtime/event.hpp"
#include "node/runtime/mutex.hpp"
#include "node/runtime/race.hpp"
#include "node/runtime/scope.hpp"
#include "node/runtime/semaphore.hpp"
#include "node/runtime/signal.hpp"
#include "node/runtime/with_timeout.hpp"
#include "node/worker/self.hpp"
#include "node/worker/spawn.hpp"
#include "node/worker/supervisor.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/tasks.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::hours;

// What is waited for, on the one shard of the test.
struct Things {
  Mutex mutex;
  Semaphore semaphore{2};
  Channel<int> full{1};
  Channel<int> empty{1};
  Event event;
  Signal signal;
  std::move_only_function<void(Result<int>)> callback;
  std::optional<Mutex::Guard> guard;  // held by the test
  std::optional<Semaphore::Permits> permits;
  Address full_worker;  // reads nothing, and its mailbox is full
  Address idle_worker;  // reads nothing
  Address stopped;      // who is to be asked to stop
  std::optional<Status> heard;
  bool handler_reads = false;
  int yielded = 0;
};

template <class T>
Status status_of(const Result<T>& result) {
  return result ? Status() : result.error();
}

// --- of one worker, and of workers of one shard
Task<Status> by_sleep(Self, Things*) { co_return co_await sleep(hours(1)); }
Task<Status> by_receive(Self self, Things*) { co_return status_of(co_await self.receive<EchoRequest>()); }
Task<Status> by_receive_either(Self self, Things*) {
  co_return status_of(co_await self.receive<EchoRequest, EchoReply>(hours(1)));
}
Task<Status> by_down(Self self, Things* things) {
  static_cast<void>(self.monitor(things->idle_worker));
  co_return status_of(co_await self.receive<v1::Down>());
}
Task<Status> by_send(Self self, Things* things) {
  co_return co_await self.send(things->full_worker, say("no room"));
}
Task<Status> by_mutex(Self, Things* things) { co_return status_of(co_await things->mutex.lock()); }
Task<Status> by_semaphore(Self, Things* things) {
  co_return status_of(co_await things->semaphore.acquire(2));
}
Task<Status> by_channel_send(Self, Things* things) { co_return co_await things->full.send(2); }
Task<Status> by_channel_receive(Self, Things* things) {
  co_return status_of(co_await things->empty.receive());
}
Task<Status> by_event(Self, Things* things) { co_return co_await things->event.wait(); }
Task<Status> by_signal(Self, Things* things) { co_return co_await things->signal.wait(); }
Task<Status> by_completion(Self, Things* things) {
  Completion<int> done;
  things->callback = done.callback();
  co_return status_of(co_await done);
}

// --- tasks side by side, and streams
Task<Status> by_join(Self self, Things* things) {
  Scope scope;
  scope.spawn(by_mutex(self, things));
  scope.spawn(by_sleep(self, things));
  const Status joined = co_await scope.join();
  EXPECT_EQ(scope.running(), 0U);
  co_return joined;
}
Task<Status> by_all(Self self, Things* things) {
  auto [first, second] = co_await all(by_event(self, things), by_channel_receive(self, things));
  EXPECT_EQ(second.code(), Code::cancelled);
  co_return first;
}
Task<Status> by_any(Self self, Things* things) {
  co_return status_of(co_await any(by_semaphore(self, things), by_signal(self, things)));
}
Task<Status> by_race(Self self, Things* things) {
  co_return (co_await race(by_sleep(self, things), by_receive(self, things))).value;
}
Task<Status> by_with_timeout(Self self, Things* things) {
  co_return co_await with_timeout(hours(1), by_event(self, things));
}
Stream<int> slow_numbers() {
  if (Status slept = co_await sleep(hours(1)); !slept.ok()) co_yield fail(slept);
  co_yield 1;
}
Task<Status> by_stream(Self, Things*) {
  Stream<int> numbers = slow_numbers();
  EXPECT_FALSE(co_await numbers.next());
  co_return numbers.status();
}

// --- calls
Task<Status> by_call(Self self, Things*) {
  co_return status_of(co_await echo::EchoStub(self).Echo(say("x")));
}
Task<Status> by_call_worker(Self self, Things* things) {
  co_return status_of(co_await call_worker<EchoReply>(self, things->idle_worker, say("x")));
}
Task<Status> by_stream_read(Self self, Things*) {
  auto chat = echo::EchoStub(self).Chat();
  EXPECT_FALSE(co_await chat.next());
  co_return chat.status();
}
Task<Status> by_stream_send(Self self, Things*) {
  auto chat = echo::EchoStub(self).Chat();
  Status sent;
  while ((sent = co_await chat.send(say("x"))).ok()) {
  }
  co_return sent;
}
Task<Status> by_stream_finish(Self self, Things*) {
  auto collect = echo::EchoStub(self).Collect();
  co_return status_of(co_await collect.finish());
}
// These two hear of the stop of their handler.
Task<Status> by_incoming(Self self, Things* things) {
  things->handler_reads = true;
  auto chat = echo::EchoStub(self).Chat();
  EXPECT_FALSE(co_await chat.next());
  co_return chat.status();
}
Task<Status> by_credit(Self self, Things* things) {
  CallOptions options;
  options.credit = 1;
  auto chat = echo::EchoStub(self).Chat(options);
  Status sent;
  while ((sent = co_await chat.send(say("x"))).ok()) {
  }
  EXPECT_EQ(things->yielded, 1) << "and then it waited for credit";
  co_return sent;
}
Task<Status> by_spawn_at(Self self, Things*) {
  co_return status_of(co_await spawn_at(self, self.node().id(), "slow", say("x")));
}

// --- workers that wait inside of what the runtime has ready
Task<Status> by_supervise(Self self, Things*) {
  SupervisorSpec spec;
  spec.children.push_back({.id = "child", .start = ChildStart([](Self parent, const std::string&) {
                                            return parent.spawn_link(
                                                "child", +[](Self child) -> Task<> {
                                                  static_cast<void>(co_await child.receive<EchoRequest>());
                                                });
                                          })});
  co_await supervise(self, std::move(spec));
  co_return Status(Code::cancelled, "it gives nothing");
}
// Never answers by itself.
class Silent final : public echo::EchoService {
 public:
  Silent(Things* things, bool tells) : things_(things), tells_(tells) {}
  Task<Result<EchoReply>> Echo(Call /*call*/, EchoRequest /*request*/) override {
    co_return fail(co_await sleep(hours(1)));
  }
  Task<Result<echo::CollectReply>> Collect(Call /*call*/, Incoming<EchoRequest> /*requests*/) override {
    co_return fail(co_await sleep(hours(1)));
  }
  Stream<EchoReply> Chat(Call call, Incoming<EchoRequest> requests) override {
    if (!tells_) static_cast<void>(co_await sleep(hours(1)));
    if (!tells_) co_return;
    things_->stopped = call.self().address();
    if (things_->handler_reads) {
      EXPECT_FALSE(co_await requests.next());
      co_yield fail(requests.status());
    }
    for (;;) {
      ++things_->yielded;
      co_yield EchoReply();
    }
  }

 private:
  Things* things_;
  bool tells_;  // that its handlers are to be stopped
};
class SlowWorkers final : public v1::WorkersService {
 public:
  Task<Result<v1::SpawnReply>> Spawn(Call /*call*/, v1::SpawnRequest /*request*/) override {
    co_return fail(co_await sleep(hours(1)));
  }
};

struct Wait {
  const char* name;
  Task<Status> (*wait)(Self, Things*);
  bool handler_is_stopped = false;
  bool leaves_a_request = false;  // which is looked after when its answer comes
  friend std::ostream& operator<<(std::ostream& to, const Wait& one) { return to << one.name; }
};
const Wait waits[] = {
    {"Sleep", &by_sleep},
    {"Receive", &by_receive},
    {"ReceiveEitherOfTwoForAWhile", &by_receive_either},
    {"ADownThatDoesNotCome", &by_down},
    {"SendToAFullMailbox", &by_send},
    {"Mutex", &by_mutex},
    {"Semaphore", &by_semaphore},
    {"ChannelSend", &by_channel_send},
    {"ChannelReceive", &by_channel_receive},
    {"Event", &by_event},
    {"Signal", &by_signal},
    {"Completion", &by_completion},
    {"ScopeJoin", &by_join},
    {"All", &by_all},
    {"Any", &by_any},
    {"Race", &by_race},
    {"WithTimeout", &by_with_timeout},
    {"StreamOfItsOwn", &by_stream},
    {"Call", &by_call},
    {"CallWorker", &by_call_worker},
    {"CallStreamRead", &by_stream_read},
    {"CallStreamSend", &by_stream_send},
    {"CallStreamFinish", &by_stream_finish},
    {"IncomingOfAHandler", &by_incoming, true},
    {"CreditOfAHandler", &by_credit, true},
    {"SpawnAt", &by_spawn_at, false, true},
    {"Supervise", &by_supervise},
};

Task<> fall_into(Self self, Wait wait, Things* things) {
  if (!wait.handler_is_stopped) things->stopped = self.address();
  things->heard = co_await wait.wait(self, things);
}

class StopTest : public TestNode, public ::testing::WithParamInterface<Wait> {
 protected:
  StopTest() {
    node_->add_service(std::make_unique<Silent>(&things_, GetParam().handler_is_stopped));
    node_->add_service(std::make_unique<SlowWorkers>());
    spawn(
        +[](Self self, Things* things) -> Task<> {
          const auto idle = +[](Self of) -> Task<> { static_cast<void>(co_await of.receive<EchoReply>()); };
          things->full_worker = self.spawn("full", idle);
          things->idle_worker = self.spawn("idle", idle);
          EXPECT_TRUE(self.try_send(things->full_worker, say("the only one")).ok());
          self.worker().home().find(things->full_worker.worker)->mailbox.use(one_message);
          things->guard = std::move(*co_await things->mutex.lock());
          things->permits = std::move(*co_await things->semaphore.acquire());
          EXPECT_TRUE((co_await things->full.send(1)).ok());
        },
        &things_);
  }
  ~StopTest() override {
    node_->home(0).end_all();  // before what they wait for
    step();
  }
  void expect_ended() {
    ASSERT_TRUE(things_.heard) << "it waits on";
    EXPECT_EQ(things_.heard->code(), Code::cancelled) << things_.heard->to_string();
    if (GetParam().leaves_a_request) advance(hours(1));
    EXPECT_EQ(workers(), 2U) << "those who are idle";
    EXPECT_EQ(node_->calls_running.load(), 0U);
    int calls = 0;
    node_->home(0).each_call(100, [&calls](const PendingCall&) { ++calls; });
    EXPECT_EQ(calls, 0);
  }
  // All that was waited for can still be used, and nothing of it was lost or taken.
  void expect_sound() {
    if (things_.callback) things_.callback(7);
    bool done = false;
    spawn(
        +[](Self self, Things* things, bool* all) -> Task<> {
          things->guard.reset();
          EXPECT_FALSE(things->mutex.locked());
          EXPECT_TRUE(co_await things->mutex.lock(Duration(0)));
          things->permits.reset();
          EXPECT_EQ(things->semaphore.available(), 2U);
          EXPECT_TRUE(co_await things->semaphore.acquire(2, Duration(0)));
          EXPECT_EQ((co_await things->full.receive(Duration(0))).value_or(-1), 1);
          EXPECT_FALSE(things->full.try_receive()) << "what was not sent must not come";
          EXPECT_TRUE((co_await things->empty.send(5, Duration(0))).ok());
          EXPECT_EQ((co_await things->empty.receive(Duration(0))).value_or(-1), 5);
          things->signal.notify();
          things->event.set();
          EXPECT_TRUE((co_await things->event.wait(Duration(0))).ok());
          Home& home = self.worker().home();
          EXPECT_EQ(home.find(things->full_worker.worker)->mailbox.size(), 1U);
          EXPECT_EQ(home.find(things->idle_worker.worker)->mailbox.size(), 0U);
          *all = true;
        },
        &things_, &done);
    EXPECT_TRUE(done);
  }

  static constexpr MailboxLimits one_message{.messages = 1};
  Things things_;
};
INSTANTIATE_TEST_SUITE_P(EveryWait, StopTest, ::testing::ValuesIn(waits),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(StopTest, W7_AStopReachesTheWaitAndLeavesWhatWasWaitedForSound) {
  spawn(&fall_into, GetParam(), &things_);
  ASSERT_FALSE(things_.heard) << "it does not wait at all";
  Worker* const stopped = node_->home(0).find(things_.stopped.worker);
  ASSERT_NE(stopped, nullptr);
  stopped->stop.request();
  step();
  expect_ended();
  expect_sound();
}

TEST_P(StopTest, W7_WhoWasAskedToStopBeforeDoesNotBeginToWait) {
  if (GetParam().handler_is_stopped) return;
  spawn(
      +[](Self self, Wait wait, Things* things) -> Task<> {
        self.stop();
        things->heard = co_await wait.wait(self, things);
      },
      GetParam(), &things_);
  expect_ended();
  expect_sound();
}

// The frame of a wait may be destroyed instead: the worker is killed.
TEST_P(StopTest, W7_AKillLeavesWhatWasWaitedForSoundToo) {
  spawn(&fall_into, GetParam(), &things_);
  node_->home(0).end(*node_->home(0).find(things_.stopped.worker), exit_reason::kill());
  step();
  if (GetParam().leaves_a_request) advance(hours(1));
  EXPECT_EQ(workers(), 2U);
  expect_sound();
}

}  // namespace
}  // namespace cobus
