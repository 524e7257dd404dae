// SPDX-License-Identifier: Apache-2.0
#include "node/worker/supervisor.hpp"

#include <cobus/v1/worker.pb.h>
#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What children did, in order: "+a" started, "-a" ended when it was asked to.
struct Stage {
  std::vector<std::string> events;
  std::map<std::string, Address> now;
  std::string take() {
    std::string all;
    for (const std::string& event : events) all += (all.empty() ? "" : " ") + event;
    events.clear();
    return all;
  }
};

// Ends normally when told "end", breaks when told "break".
Task<> child(Self self, Stage* stage, std::string id) {
  struct Goodbye {
    Stage* stage;
    std::string id;
    ~Goodbye() { stage->events.push_back("-" + id); }
  } const goodbye{stage, id};
  stage->events.push_back("+" + id);
  stage->now[id] = self.address();
  auto told = co_await self.receive<EchoRequest>();
  if (told && (*told)->text() == "break") throw std::runtime_error("told to");
}

// Ends only when it is killed.
Task<> stubborn(Self self, Stage* stage, std::string id) {
  stage->now[id] = self.address();
  self.trap_exits(true);
  for (;;) static_cast<void>(co_await self.receive_uncancelled<EchoRequest>(Duration(-1)));
}

class SupervisorTest : public TestNode {
 protected:
  ~SupervisorTest() override { node_.reset(); }  // children that still run write on the stage

  ChildSpec spec(std::string id, Restart restart = Restart::permanent) {
    ChildSpec made;
    made.id = id;
    made.restart = restart;
    made.start = [this, id](Self parent, const std::string& argument) {
      if (id == refuses) throw std::runtime_error("no such luck");
      return parent.spawn_link("child", &child, &stage, id + argument);
    };
    return made;
  }
  SupervisorSpec of(Strategy strategy, std::vector<ChildSpec> children) {
    SupervisorSpec made;
    made.strategy = strategy;
    made.intensity = 3;
    made.children = std::move(children);
    return made;
  }
  // Starts it; `ended` becomes its reason.
  void start(SupervisorSpec of) {
    spawn(
        [](Self self, SupervisorSpec given, Address* address, std::string* reason) -> Task<> {
          const Spawned spawned = self.spawn_monitor("supervisor", &supervise, std::move(given));
          *address = spawned.address;
          auto down = co_await self.receive<v1::Down>();
          const Status status(static_cast<Code>((*down)->reason().code()), (*down)->reason().message());
          *reason = std::string(exit_reason::name(status)) + ": " + status.message();
        },
        std::move(of), &supervisor, &ended);
  }
  void tell(const std::string& id, std::string what) {
    spawn(
        [](Self self, Address to, std::string text) -> Task<> {
          EchoRequest message;
          message.set_text(std::move(text));
          EXPECT_TRUE(self.try_send(to, message).ok());
          co_return;
        },
        stage.now.at(id), std::move(what));
  }
  void stop() {
    node_->home(0).find(supervisor.worker)->stop.request();
    step();
  }

  Stage stage;
  Address supervisor;
  std::string ended;
  std::string refuses;
};

TEST_F(SupervisorTest, StartsInOrderAndStopsInReverse) {
  start(of(Strategy::one_for_one, {spec("a"), spec("b"), spec("c")}));
  EXPECT_EQ(stage.take(), "+a +b +c");
  stop();
  EXPECT_EQ(stage.take(), "-c -b -a");
  EXPECT_TRUE(ended.starts_with("shutdown")) << ended;
  EXPECT_EQ(workers(), 0U);
}

TEST_F(SupervisorTest, W6_OneForOneStartsOnlyTheOneThatEnded) {
  start(of(Strategy::one_for_one, {spec("a"), spec("b"), spec("c")}));
  stage.take();
  tell("b", "break");
  EXPECT_EQ(stage.take(), "-b +b");
  tell("b", "end");
  EXPECT_EQ(stage.take(), "-b +b");
}

TEST_F(SupervisorTest, W6_OneForAllStopsTheOthersInReverseAndStartsAll) {
  start(of(Strategy::one_for_all, {spec("a"), spec("b"), spec("c")}));
  stage.take();
  tell("b", "break");
  EXPECT_EQ(stage.take(), "-b -c -a +a +b +c");
}

TEST_F(SupervisorTest, W6_RestForOneTakesThoseThatWereStartedLater) {
  start(of(Strategy::rest_for_one, {spec("a"), spec("b"), spec("c")}));
  stage.take();
  tell("b", "break");
  EXPECT_EQ(stage.take(), "-b -c +b +c");
  tell("c", "break");
  EXPECT_EQ(stage.take(), "-c +c");
}

TEST_F(SupervisorTest, W6_TransientComesBackAfterABreakOnlyAndTemporaryNever) {
  start(of(Strategy::one_for_one,
           {spec("a", Restart::transient), spec("b", Restart::temporary), spec("c", Restart::transient)}));
  stage.take();
  tell("a", "break");
  EXPECT_EQ(stage.take(), "-a +a");
  tell("a", "end");
  tell("b", "break");
  EXPECT_EQ(stage.take(), "-a -b");
}

TEST_F(SupervisorTest, W6_NeverMoreRestartsThanItsIntensityAndThenItEnds) {
  start(of(Strategy::one_for_one, {spec("a"), spec("b")}));
  for (int i = 0; i < 3; ++i) tell("a", "break");
  stage.take();
  tell("a", "break");
  EXPECT_EQ(stage.take(), "-a -b");
  EXPECT_TRUE(ended.starts_with("shutdown: more than 3 restarts in 5000 ms, the last of child a")) << ended;
  EXPECT_EQ(workers(), 0U);
}

TEST_F(SupervisorTest, W6_RestartsThatAreLongAgoDoNotCount) {
  start(of(Strategy::one_for_one, {spec("a")}));
  for (int i = 0; i < 10; ++i) {
    tell("a", "break");
    advance(seconds(2));
  }
  EXPECT_TRUE(ended.empty());
}

TEST_F(SupervisorTest, ItIsOverWhenAnySignificantChildIs) {
  SupervisorSpec made = of(Strategy::one_for_one, {spec("a", Restart::transient), spec("b")});
  made.children[0].significant = true;
  made.auto_shutdown = AutoShutdown::any_significant;
  start(std::move(made));
  tell("a", "break");
  EXPECT_TRUE(ended.empty());
  stage.take();
  tell("a", "end");
  EXPECT_EQ(stage.take(), "-a -b");
  EXPECT_EQ(ended, "shutdown: its significant children have ended");
}

TEST_F(SupervisorTest, ItIsOverWhenAllSignificantChildrenAre) {
  SupervisorSpec made =
      of(Strategy::one_for_one, {spec("a", Restart::transient), spec("b", Restart::temporary), spec("c")});
  made.children[0].significant = made.children[1].significant = true;
  made.auto_shutdown = AutoShutdown::all_significant;
  start(std::move(made));
  tell("a", "end");
  EXPECT_TRUE(ended.empty());
  tell("b", "break");
  EXPECT_EQ(ended, "shutdown: its significant children have ended");
}

TEST_F(SupervisorTest, AChildThatDoesNotEndInItsTimeIsKilled) {
  ChildSpec slow;
  slow.id = "slow";
  slow.shutdown = seconds(2);
  slow.start = [this](Self self, const std::string&) {
    return self.spawn_link("stubborn", &stubborn, &stage, std::string("slow"));
  };
  start(of(Strategy::one_for_one, {slow}));
  stop();
  EXPECT_TRUE(ended.empty());
  advance(milliseconds(1900));
  EXPECT_TRUE(ended.empty());
  advance(milliseconds(200));
  EXPECT_FALSE(ended.empty());
  EXPECT_EQ(workers(), 0U);
}

TEST_F(SupervisorTest, RestartsWaitLongerEachTimeWithJitter) {
  SupervisorSpec made = of(Strategy::one_for_one, {spec("a")});
  made.backoff_first = milliseconds(100);
  made.backoff_max = milliseconds(250);
  made.period = seconds(60);
  start(std::move(made));
  stage.take();
  for (const int longest_ms : {100, 200, 250}) {
    tell("a", "break");
    EXPECT_EQ(stage.take(), "-a");
    advance(milliseconds(longest_ms / 2 - 2));
    EXPECT_EQ(stage.take(), "") << longest_ms;
    advance(milliseconds(longest_ms / 2 + 4));
    EXPECT_EQ(stage.take(), "+a") << longest_ms;
  }
}

TEST_F(SupervisorTest, AChildThatCannotBeStartedEndsItAndTheOthers) {
  refuses = "c";
  start(of(Strategy::one_for_one, {spec("a"), spec("b"), spec("c")}));
  EXPECT_EQ(stage.take(), "") << "the others had not begun yet";
  EXPECT_EQ(ended, "shutdown: child c could not be started: no such luck");
  EXPECT_EQ(workers(), 0U);
}

TEST_F(SupervisorTest, AChildThatCannotBeStartedAgainIsTriedWithinTheIntensity) {
  start(of(Strategy::one_for_one, {spec("a"), spec("b")}));
  stage.take();
  refuses = "b";
  tell("b", "break");
  EXPECT_EQ(stage.take(), "-b");
  for (int i = 0; i < 3; ++i) advance(milliseconds(2));
  EXPECT_EQ(stage.take(), "-a");
  EXPECT_NE(ended.find("no such luck"), std::string::npos) << ended;
}

TEST_F(SupervisorTest, SimpleOneForOneStartsChildrenOnRequest) {
  start(of(Strategy::simple_one_for_one, {spec("x", Restart::transient)}));
  EXPECT_EQ(stage.take(), "");
  spawn(
      [](Self self, Address to) -> Task<> {
        for (const char* argument : {"1", "2"}) {
          v1::StartChild request;
          request.set_argument(argument);
          EXPECT_TRUE(self.try_send(to, request).ok());
          auto answer = co_await self.receive<v1::ChildStarted>(seconds(1));
          EXPECT_TRUE(answer && !(*answer)->has_error() && (*answer)->worker() != 0);
        }
      },
      supervisor);
  EXPECT_EQ(stage.take(), "+x1 +x2");
  tell("x1", "break");
  EXPECT_EQ(stage.take(), "-x1 +x1");
  tell("x2", "end");
  EXPECT_EQ(stage.take(), "-x2");
  stop();
  EXPECT_EQ(stage.take(), "-x1");
  EXPECT_EQ(workers(), 0U);
}

TEST_F(SupervisorTest, AnExitFromItsOwnSupervisorEndsItAndItsChildren) {
  SupervisorSpec inner = of(Strategy::one_for_one, {spec("a"), spec("b")});
  ChildSpec nested;
  nested.id = "inner";
  nested.shutdown = Duration(-1);
  nested.start = [inner](Self self, const std::string&) {
    return self.spawn_link("supervisor", &supervise, inner);
  };
  start(of(Strategy::one_for_one, {nested}));
  EXPECT_EQ(stage.take(), "+a +b");
  for (int i = 0; i < 3; ++i) tell("a", "break");
  stage.take();
  tell("a", "break");
  EXPECT_EQ(stage.take(), "-a -b +a +b") << "the inner one gave up, the outer one started it again";
  stop();
  EXPECT_EQ(stage.take(), "-b -a");
  EXPECT_EQ(workers(), 0U);
}

// While it waits for a child to end, its own supervisor asks it to end too.
TEST_F(SupervisorTest, AnExitThatComesWhileItStopsChildrenIsHeard) {
  ChildSpec slow = spec("slow");
  slow.start = [this](Self parent, const std::string&) {
    return parent.spawn_link("stubborn", &stubborn, &stage, std::string("slow"));
  };
  start(of(Strategy::one_for_all, {spec("a"), slow}));
  stage.take();
  tell("a", "break");  // stops `slow`, which takes its five seconds
  node_->run_on(0, [this](Home& home) {
    home.exit(*home.find(supervisor.worker), supervisor, exit_reason::shutdown("from above"));
  });
  step();
  for (int i = 0; i < 8; ++i) advance(seconds(1));
  EXPECT_TRUE(ended.starts_with("shutdown")) << ended;
  EXPECT_EQ(workers(), 0U);
}

TEST_F(SupervisorTest, W6_AChildThatCannotComeBackTakesItsSiblingsAlongAndDoublesNobody) {
  SupervisorSpec made = of(Strategy::one_for_all, {spec("a"), spec("b")});
  made.intensity = 5;
  start(std::move(made));
  stage.take();
  refuses = "b";
  tell("a", "break");
  for (int i = 0; i < 3; ++i) advance(milliseconds(1));
  refuses.clear();
  for (int i = 0; i < 3; ++i) advance(milliseconds(1));
  const std::string events = stage.take();
  int running = 0;
  for (std::size_t at = 0; at + 1 < events.size(); at += 3) {
    if (events[at + 1] == 'a') running += events[at] == '+' ? 1 : -1;
    EXPECT_LE(running, 1) << events;
  }
}

TEST_F(SupervisorTest, W6_ATemporaryChildThatIsStoppedAlongNeverComesBack) {
  start(of(Strategy::one_for_all, {spec("a"), spec("b", Restart::temporary), spec("c")}));
  stage.take();
  tell("a", "break");
  EXPECT_EQ(stage.take(), "-a -c -b +a +c");
}

TEST_F(SupervisorTest, AChildThatUnlinkedIsStoppedAllTheSame) {
  ChildSpec loose = spec("loose");
  loose.start = [this](Self parent, const std::string&) {
    return parent.spawn_link(
        "loose",
        +[](Self self, Stage* on, Address above) -> Task<> {
          on->now["loose"] = self.address();
          self.unlink(above);
          self.trap_exits(true);
          for (;;) static_cast<void>(co_await self.receive_uncancelled<EchoRequest>(Duration(-1)));
        },
        &stage, parent.address());
  };
  start(of(Strategy::one_for_one, {spec("a"), loose}));
  stop();
  for (int i = 0; i < 8; ++i) advance(seconds(1));
  EXPECT_TRUE(ended.starts_with("shutdown")) << ended;
  EXPECT_EQ(workers(), 0U);
}

}  // namespace
}  // namespace cobus
