// SPDX-License-Identifier: Apache-2.0
#include "node/worker/bonds.hpp"

#include <cobus/v1/worker.pb.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "node/runtime/scope.hpp"
#include "node/worker/self.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using echo::EchoRequest;
using std::chrono::milliseconds;

// What a watcher heard, in order: "down noproc", "exit crash", the text of a message.
using Heard = std::vector<std::string>;

template <class News>
std::string told(const char* what, const News& news) {
  const Status reason(static_cast<Code>(news.reason().code()), news.reason().message());
  return std::string(what) + ' ' + std::string(exit_reason::name(reason));
}

// Writes down all that comes until it is stopped.
Task<> listen(Self self, Heard* heard) {
  for (;;) {
    auto news = co_await self.receive<EchoRequest, v1::Down, v1::Exit>();
    if (!news) co_return;
    if (const auto* message = news->as<EchoRequest>()) heard->push_back(message->text());
    if (const auto* down = news->as<v1::Down>()) heard->push_back(told("down", *down));
    if (const auto* exit = news->as<v1::Exit>()) heard->push_back(told("exit", *exit));
  }
}

Task<> idle(Self self) { static_cast<void>(co_await self.receive<EchoRequest>()); }
Task<> crash(Self self) {
  static_cast<void>(co_await self.receive<EchoRequest>());
  throw std::runtime_error("broken");
}

class BondsTest : public TestNode, public ::testing::WithParamInterface<unsigned> {
 protected:
  BondsTest() : TestNode(GetParam()) {}

  // A worker that runs `function`, on the shard that has the fewest.
  template <class Function, class... Arguments>
  Address start(Function function, Arguments... arguments) {
    Address made;
    spawn(
        [](Self self, Address* address, Function of, Arguments... given) -> Task<> {
          *address = self.address();
          co_await of(self, std::move(given)...);
        },
        &made, function, std::move(arguments)...);
    return made;
  }
  // Runs `act` in a worker of its own.
  void act(std::function<void(Self)> what) {
    spawn(
        [](Self self, std::function<void(Self)> of) -> Task<> {
          of(self);
          co_return;
        },
        std::move(what));
  }
  // Lets the worker at `address` do something, from inside.
  void in(Address address, const std::function<void(Self)>& what) {
    Home& home = node_->home(address.worker.shard());
    Worker* worker = home.find(address.worker);
    ASSERT_NE(worker, nullptr);
    node_->run_on(address.worker.shard(), [what, worker](Home&) { what(Self(*worker)); });
    step();
  }
  bool lives(Address address) { return node_->home(address.worker.shard()).find(address.worker) != nullptr; }
  void tell(Address to, std::string text) {
    act([to, text](Self self) { EXPECT_TRUE(self.try_send(to, say(text)).ok()); });
  }
};

INSTANTIATE_TEST_SUITE_P(OnShards, BondsTest, ::testing::Values(1U, 3U));

TEST_P(BondsTest, W2_AMonitorYieldsOneDownWithTheReason) {
  Heard heard;
  const Address watcher = start(&listen, &heard);
  const Address ends = start(&idle);
  const Address breaks = start(&crash);
  in(watcher, [=](Self self) {
    static_cast<void>(self.monitor(ends));
    static_cast<void>(self.monitor(breaks));
  });
  EXPECT_TRUE(heard.empty());
  tell(ends, "");
  tell(breaks, "");
  EXPECT_EQ(heard, (Heard{"down normal", "down crash"}));
  advance(std::chrono::seconds(60));
  EXPECT_EQ(heard.size(), 2U);
}

TEST_P(BondsTest, W2_EachMonitorOfAPairYieldsItsOwnDown) {
  Heard heard;
  const Address watcher = start(&listen, &heard);
  const Address ends = start(&idle);
  in(watcher, [=](Self self) {
    const MonitorRef first = self.monitor(ends);
    const MonitorRef second = self.monitor(ends);
    EXPECT_NE(first, second);
  });
  tell(ends, "");
  EXPECT_EQ(heard, (Heard{"down normal", "down normal"}));
}

TEST_P(BondsTest, W2_AMissingTargetYieldsNoprocAtOnce) {
  Heard heard;
  const Address watcher = start(&listen, &heard);
  const Address gone = start(+[](Self) -> Task<> { co_return; });
  const Address never{node_->id(), WorkerId::make(200, 7, 1)};
  in(watcher, [=](Self self) {
    static_cast<void>(self.monitor(gone));
    static_cast<void>(self.monitor(never));
  });
  EXPECT_EQ(heard, (Heard{"down noproc", "down noproc"}));
}

TEST_P(BondsTest, W2_ADownComesBehindAllThatTheWorkerSentBefore) {
  Heard heard;
  const Address watcher = start(&listen, &heard);
  const Address speaker = start(
      +[](Self self, Address to) -> Task<> {
        static_cast<void>(co_await self.receive<EchoRequest>());
        for (int i = 0; i < 50; ++i) EXPECT_TRUE(self.try_send(to, say(std::to_string(i))).ok());
        throw std::runtime_error("done");
      },
      watcher);
  in(watcher, [=](Self self) { static_cast<void>(self.monitor(speaker)); });
  tell(speaker, "go");
  ASSERT_EQ(heard.size(), 51U);
  EXPECT_EQ(heard[49], "49");
  EXPECT_EQ(heard[50], "down crash");
}

TEST_P(BondsTest, DemonitorTakesBackAlsoADownThatWaits) {
  Heard heard;
  const Address ends = start(&idle);
  MonitorRef ref{};
  const Address watcher = start(
      +[](Self self, Heard* into, MonitorRef* monitor, Address target) -> Task<> {
        *monitor = self.monitor(target);
        static_cast<void>(co_await self.receive<EchoRequest>());
        self.demonitor(*monitor);
        co_await listen(self, into);
      },
      &heard, &ref, ends);
  tell(ends, "");
  EXPECT_FALSE(lives(ends));
  tell(watcher, "take it back");
  EXPECT_TRUE(heard.empty());
  EXPECT_TRUE(lives(watcher));
}

TEST_P(BondsTest, W3_ACrashTakesLinkedWorkersAlongWithTheSameReason) {
  Heard heard;
  const Address watcher = start(&listen, &heard);
  const Address first = start(&crash);
  const Address second = start(&idle);
  const Address third = start(&idle);
  in(second, [=](Self self) {
    self.link(first);
    self.link(first);
    self.link(third);
  });
  in(watcher, [=](Self self) { static_cast<void>(self.monitor(third)); });
  tell(first, "");
  EXPECT_FALSE(lives(first));
  EXPECT_FALSE(lives(second));
  EXPECT_FALSE(lives(third));
  EXPECT_EQ(heard, Heard{"down crash"});
}

TEST_P(BondsTest, W3_ANormalEndLeavesLinkedWorkersAlone) {
  const Address ends = start(&idle);
  const Address stays = start(&idle);
  in(stays, [=](Self self) { self.link(ends); });
  tell(ends, "");
  EXPECT_FALSE(lives(ends));
  EXPECT_TRUE(lives(stays));
}

TEST_P(BondsTest, W3_WhoTrapsExitsReadsThemInstead) {
  Heard heard;
  const Address trapping = start(&listen, &heard);
  const Address breaks = start(&crash);
  const Address ends = start(&idle);
  in(trapping, [=](Self self) {
    self.trap_exits(true);
    self.link(breaks);
    self.link(ends);
  });
  tell(breaks, "");
  tell(ends, "");
  EXPECT_EQ(heard, (Heard{"exit crash", "exit normal"}));
  EXPECT_TRUE(lives(trapping));
}

TEST_P(BondsTest, W3_LinkingToNobodyIsAnExitWithNoproc) {
  Heard heard;
  const Address gone = start(+[](Self) -> Task<> { co_return; });
  const Address trapping = start(&listen, &heard);
  const Address plain = start(&idle);
  in(trapping, [=](Self self) {
    self.trap_exits(true);
    self.link(gone);
  });
  in(plain, [=](Self self) { self.link(gone); });
  EXPECT_EQ(heard, Heard{"exit noproc"});
  EXPECT_FALSE(lives(plain));
}

TEST_P(BondsTest, W3_AKillCannotBeTrappedAndIsReportedAsKilled) {
  Heard heard;
  Heard of_victim;
  const Address victim = start(&listen, &of_victim);
  const Address watcher = start(&listen, &heard);
  in(victim, [](Self self) { self.trap_exits(true); });
  in(watcher, [=](Self self) { static_cast<void>(self.monitor(victim)); });
  act([=](Self self) { self.exit(victim, Status(Code::failed_precondition, "please")); });
  EXPECT_EQ(of_victim, Heard{"exit failed"});
  act([=](Self self) { self.exit(victim, exit_reason::kill()); });
  EXPECT_FALSE(lives(victim));
  EXPECT_EQ(heard, Heard{"down killed"});
}

TEST_P(BondsTest, W3_AKillThatCameOverALinkCanBeTrapped) {
  Heard heard;
  const Address victim = start(&idle);
  const Address trapping = start(&listen, &heard);
  in(trapping, [=](Self self) {
    self.trap_exits(true);
    self.link(victim);
  });
  act([=](Self self) { self.exit(victim, exit_reason::kill()); });
  EXPECT_EQ(heard, Heard{"exit killed"});
  EXPECT_TRUE(lives(trapping));
}

TEST_P(BondsTest, W3_AnExplicitNormalExitEndsNobody) {
  const Address stays = start(&idle);
  act([=](Self self) { self.exit(stays, exit_reason::normal()); });
  EXPECT_TRUE(lives(stays));
}

TEST_P(BondsTest, W3_AfterUnlinkTheOthersEndIsNoneOfItsBusiness) {
  const Address breaks = start(&crash);
  const Address stays = start(&idle);
  in(stays, [=](Self self) {
    self.link(breaks);
    self.unlink(breaks);
    self.unlink(breaks);
  });
  tell(breaks, "");
  EXPECT_FALSE(lives(breaks));
  EXPECT_TRUE(lives(stays));
  EXPECT_TRUE(node_->home(stays.worker.shard()).find(stays.worker)->bonds->links.empty());
}

TEST_P(BondsTest, W3_UnlinkFromEitherSideAndLinkAgainLeavesOneLink) {
  const Address a = start(&crash);
  const Address b = start(&idle);
  in(a, [=](Self self) { self.link(b); });
  in(b, [=](Self self) { self.unlink(a); });
  in(a, [=](Self self) {
    self.link(b);
    self.unlink(b);
    self.link(b);
  });
  tell(a, "");
  EXPECT_FALSE(lives(b));
}

TEST_P(BondsTest, AWorkerThatSpawnsWithAMonitorHearsOfItsFirstStepToo) {
  Heard heard;
  start(
      +[](Self self, Heard* into) -> Task<> {
        const Spawned spawned = self.spawn_monitor(
            "breaks", +[](Self) -> Task<> {
              throw std::runtime_error("at once");
              co_return;
            });
        EXPECT_TRUE(spawned.address);
        co_await listen(self, into);
      },
      &heard);
  EXPECT_EQ(heard, Heard{"down crash"});
}

TEST_P(BondsTest, AnEndedWorkersNameIsFreeBeforeItsWatchersHear) {
  Heard heard;
  const Address named = start(&idle);
  in(named, [](Self self) {
    EXPECT_TRUE(self.register_name("till").ok());
    EXPECT_EQ(self.register_name("other").code(), Code::failed_precondition);
  });
  const Address watcher = start(
      +[](Self self, Heard* into, Address target) -> Task<> {
        EXPECT_EQ(self.whereis("till"), target);
        EXPECT_EQ(self.register_name("till").code(), Code::already_exists);
        static_cast<void>(self.monitor(target));
        static_cast<void>(co_await self.receive<v1::Down>());
        into->emplace_back(self.whereis("till") ? "still there" : "free");
        EXPECT_TRUE(self.register_name("till").ok());
      },
      &heard, named);
  act([this](Self self) { EXPECT_TRUE(self.send_to_name(node_->id(), "till", say("x")).ok()); });
  step();
  EXPECT_EQ(heard, Heard{"free"});
  EXPECT_FALSE(lives(watcher));
}

TEST_P(BondsTest, AWorkerThatKillsItselfRunsToItsNextWaitAndNoFurther) {
  Heard heard;
  start(
      +[](Self self, Heard* into) -> Task<> {
        self.exit(self.address(), exit_reason::kill());
        into->emplace_back("before");
        static_cast<void>(co_await sleep(milliseconds(1)));
        into->emplace_back("after");
      },
      &heard);
  advance(milliseconds(10));
  EXPECT_EQ(heard, Heard{"before"});
  EXPECT_EQ(workers(), 0U);
}

TEST_P(BondsTest, AChildOfAScopeThatKillsItsWorkerRunsToItsNextWaitToo) {
  Heard heard;
  start(
      +[](Self self, Heard* into) -> Task<> {
        Scope scope;
        scope.spawn([](Self whole, Heard* to) -> Task<> {
          static_cast<void>(co_await sleep(milliseconds(1)));
          whole.exit(whole.address(), exit_reason::kill());
          to->emplace_back("before");
          static_cast<void>(co_await sleep(milliseconds(1)));
          to->emplace_back("after");
        }(self, into));
        static_cast<void>(co_await scope.join());
        into->emplace_back("joined");
      },
      &heard);
  advance(milliseconds(5));
  advance(milliseconds(5));
  EXPECT_EQ(heard, Heard{"before"});
  EXPECT_EQ(workers(), 0U);
}

TEST_P(BondsTest, NothingIsLeftOfAHundredThousandWorkersLinkedInAChainOneOfWhichBreaks) {
  start(+[](Self self) -> Task<> {
    Address previous = self.spawn("first", &crash);
    const Address first = previous;
    for (int i = 0; i < 100'000; ++i) {
      previous = self.spawn(
          "next",
          +[](Self next, Address before) -> Task<> {
            next.link(before);
            static_cast<void>(co_await next.receive<EchoRequest>());
          },
          previous);
    }
    co_await yield();
    EXPECT_TRUE(self.try_send(first, say("break")).ok());
  });
  EXPECT_EQ(workers(), 0U);
}

TEST_P(BondsTest, W3_AWorkerThatKillsItselfAndReturnsWasKilled) {
  bool heard = false;
  start(
      +[](Self self, bool* told) -> Task<> {
        const Spawned made = self.spawn_monitor(
            "ends", +[](Self its) -> Task<> {
              its.exit(its.address(), exit_reason::kill());
              co_return;
            });
        auto down = co_await self.receive<v1::Down>();
        EXPECT_EQ((*down)->monitor(), static_cast<std::uint64_t>(made.monitor));
        EXPECT_EQ((*down)->reason().code(), static_cast<int>(Code::aborted));
        *told = true;
      },
      &heard);
  EXPECT_TRUE(heard);
}

TEST_P(BondsTest, W3_LinkingToAShardThatThereIsNotIsAnExitWithNoproc) {
  Heard heard;
  const Address watcher = start(&listen, &heard);
  const Address nobody{node_->id(), WorkerId::make(200, 3, 1)};
  in(watcher, [=](Self self) {
    self.trap_exits(true);
    self.link(nobody);
    static_cast<void>(self.monitor(nobody));
  });
  EXPECT_EQ(heard, (Heard{"exit noproc", "down noproc"}));
}

}  // namespace
}  // namespace cobus
