// SPDX-License-Identifier: Apache-2.0
//
// Workers of several shards on real threads wait for all that there is to wait for, and look at each
// resumption who they are with: always the same thread, and nobody else of their shard until they wait again.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "echo.cobus.h"
#include "node/runtime/all.hpp"
#include "node/runtime/channel.hpp"
#include "node/runtime/completion.hpp"
#include "node/runtime/mutex.hpp"
#include "node/runtime/offload.hpp"
#include "node/runtime/random.hpp"
#include "node/runtime/scope.hpp"
#include "node/runtime/signal.hpp"
#include "node/worker/local_node.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::microseconds;

constexpr unsigned shards = 3;
constexpr int visitors = 60;
constexpr int steps = 80;

// What the workers of one shard share, without any protection: that is the point.
struct alignas(64) Room {
  std::thread::id thread;
  bool occupied = false;
  std::uint64_t visits = 0;
  Signal signal;
  Mutex mutex;
  Channel<int> channel{2};
};
struct Hall {
  std::array<Room, shards> rooms;
  std::array<std::atomic<std::uint64_t>, visitors> workers{};
  std::atomic<std::uint64_t> visits{0};
  std::atomic<int> gone{0};
  std::atomic<int> met{0};     // somebody else of the shard
  std::atomic<int> astray{0};  // on another thread
};
Hall* the_hall = nullptr;  // of the test that runs

// One worker: what it does from a resumption to its next await.
class Visitor {
 public:
  Visitor(Self self, std::uint64_t seed) : self_(self), random_(seed) {}
  Room& room() { return the_hall->rooms[self_.worker().shard->index()]; }
  SeededRandom& random() { return random_; }
  Address somebody() {
    const WorkerId id{the_hall->workers[random_.below(visitors)].load()};
    return {self_.node().id(), id ? id : self_.address().worker};
  }
  // Does in the middle what makes others ready.
  void visit() {
    Room& here = room();
    if (here.thread == std::thread::id()) here.thread = std::this_thread::get_id();
    if (here.thread != std::this_thread::get_id() || thread_ != std::this_thread::get_id())
      ++the_hall->astray;
    if (here.occupied) ++the_hall->met;
    here.occupied = true;
    const std::uint64_t before = here.visits;
    here.signal.notify();
    static_cast<void>(here.channel.try_send(1));
    static_cast<void>(here.channel.try_receive());
    static_cast<void>(self_.try_send(somebody(), say("hello")));
    if (random_.below(8) == 0) self_.spawn("passer-by", &pass_by);
    if (here.visits != before) ++the_hall->met;
    here.visits = before + 1;
    here.occupied = false;
    ++the_hall->visits;
  }

 private:
  static Task<> pass_by(Self self) {
    Visitor once(self, 1);
    once.visit();
    co_await yield();
    once.visit();
  }
  Self self_;
  SeededRandom random_;
  const std::thread::id thread_ = std::this_thread::get_id();
};

// Handlers are visitors as well.
class Host final : public echo::EchoService {
 public:
  Task<Result<EchoReply>> Echo(Call call, EchoRequest request) override {
    Visitor visitor(call.self(), 7);
    visitor.visit();
    co_await yield();
    visitor.visit();
    EchoReply reply;
    reply.set_text(request.text());
    co_return reply;
  }
};

Task<> stroll(Visitor* visitor) {
  for (int i = 0; i < 3; ++i) {
    visitor->visit();
    static_cast<void>(co_await sleep(microseconds(50)));
  }
  visitor->visit();
}

Task<> lock(Visitor* visitor) {
  auto guard = co_await visitor->room().mutex.lock();
  visitor->visit();
  co_await yield();
  visitor->visit();
}

// What another thread finishes, and what several coroutines of the worker wait for.
Task<> wait_for_others(Visitor* visitor) {
  Completion<int> done;
  const std::jthread other([callback = done.callback()]() mutable { callback(1); });
  static_cast<void>(co_await done);
  visitor->visit();
  Scope scope;
  for (int i = 0; i < 3; ++i) scope.spawn(stroll(visitor));
  static_cast<void>(co_await scope.join());
  visitor->visit();
  co_await all(stroll(visitor), stroll(visitor));
}

Task<> ask(Self self, Visitor* visitor) {
  CallOptions options;
  options.timeout = milliseconds(2);
  if (visitor->random().below(2) == 0) {
    static_cast<void>(co_await echo::EchoStub(self).Echo(say("ask"), options));
  } else {
    static_cast<void>(co_await call_worker<EchoReply>(self, visitor->somebody(), say("ask"), options));
  }
}

Task<> wander(Self self, int number) {
  Visitor visitor(self, static_cast<std::uint64_t>(number) + 1);
  the_hall->workers[static_cast<std::size_t>(number)] = self.address().worker.value;
  for (int i = 0; i < steps; ++i) {
    visitor.visit();
    const auto choice = visitor.random().below(8);
    if (choice == 0) static_cast<void>(co_await sleep(microseconds(100)));
    if (choice == 1) static_cast<void>(co_await offload([] { return true; }));
    if (choice == 2) co_await ask(self, &visitor);
    if (choice == 3) static_cast<void>(co_await visitor.room().signal.wait(microseconds(200)));
    if (choice == 4) co_await lock(&visitor);
    if (choice == 5) static_cast<void>(co_await self.send(visitor.somebody(), say("wait for room")));
    if (choice == 6 && i % 8 == 0) co_await wait_for_others(&visitor);
    if (choice == 7) static_cast<void>(co_await visitor.room().channel.receive(microseconds(100)));
    visitor.visit();
    while (auto message = co_await self.receive<EchoRequest>(Duration(0))) {
      visitor.visit();
      if (message->wants_reply()) message->reply(EchoReply());
    }
  }
  ++the_hall->gone;
}

TEST(Turns, W1_BetweenTwoAwaitsNobodyElseOfTheShardRunsAndNobodyOnTwoThreads) {
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);  // of messages to those who are gone
  Hall hall;
  the_hall = &hall;
  {
    LocalNode lone(shards);
    lone.node().add_service(std::make_unique<Host>());
    for (int i = 0; i < visitors; ++i) lone.node().spawn("visitor", &wander, i);
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (hall.gone < visitors && std::chrono::steady_clock::now() < patience)
      std::this_thread::sleep_for(milliseconds(1));
  }
  spdlog::set_level(level);
  EXPECT_EQ(hall.gone.load(), visitors) << "those who are left wait for what does not come";
  EXPECT_EQ(hall.met.load(), 0);
  EXPECT_EQ(hall.astray.load(), 0);
  std::uint64_t visits = 0;
  for (const Room& room : hall.rooms) {
    EXPECT_GT(room.visits, 0U);
    visits += room.visits;
  }
  EXPECT_EQ(visits, hall.visits.load()) << "none is lost, although nothing protects them";
  EXPECT_NE(hall.rooms[0].thread, hall.rooms[1].thread);
  EXPECT_NE(hall.rooms[1].thread, hall.rooms[2].thread);
}

// Blocking functions, and what happens around them.
struct Block {
  std::atomic<int> running{0};
  std::atomic<bool> let_go{false};
  std::atomic<int> refused{0};
  std::atomic<int> returned{0};
  std::atomic<bool> said_why{true};
};

Task<> block(Self /*self*/, Block* on) {
  const Result<bool> done = co_await offload([on] {
    ++on->running;
    on->let_go.wait(false);
    return true;
  });
  if (done) ++on->returned;
  if (done) co_return;
  if (done.error().code() != Code::resource_exhausted || done.error().detail("full") != "pool")
    on->said_why = false;
  ++on->refused;
}

Task<bool> others_go_on(Self self) {
  bool all = true;
  for (int i = 0; i < 50; ++i) {
    static_cast<void>(co_await sleep(microseconds(100)));
    EXPECT_TRUE((co_await self.send(self.address(), say("to itself"))).ok());
    EXPECT_TRUE(co_await self.receive<EchoRequest>());
    const Result<EchoReply> reply = co_await echo::EchoStub(self).Echo(say("still there"));
    all = all && reply && reply->text() == "still there";
  }
  co_return all;
}

TEST(Turns, W8_BlockingCodeInThePoolHoldsNobodyAndWhatDoesNotFitIsRefused) {
  Hall hall;
  the_hall = &hall;
  Block on;
  LocalNode lone(2);
  lone.node().add_service(std::make_unique<Host>());
  const int threads = static_cast<int>(lone.node().pool().threads());
  const auto wait_for = [](const auto& condition) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition() && std::chrono::steady_clock::now() < patience)
      std::this_thread::sleep_for(milliseconds(1));
    return condition();
  };
  for (int i = 0; i < threads; ++i) lone.node().spawn("block", &block, &on);
  EXPECT_TRUE(wait_for([&] { return on.running == threads; }));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(lone.run(&others_go_on)) << "every thread of the pool is busy";
  constexpr int more = 100;
  const int queued = static_cast<int>(OffloadPool::queue_max);
  for (int i = 0; i < queued + more; ++i) lone.node().spawn("block", &block, &on);
  EXPECT_TRUE(wait_for([&] { return on.refused == more; })) << on.refused.load();
  EXPECT_TRUE(on.said_why.load());
  EXPECT_TRUE(lone.run(&others_go_on)) << "its queue is full";
  EXPECT_EQ(on.running.load(), threads);
  on.let_go = true;
  on.let_go.notify_all();
  EXPECT_TRUE(wait_for([&] { return on.returned == threads + queued; })) << on.returned.load();
}

}  // namespace
}  // namespace cobus
