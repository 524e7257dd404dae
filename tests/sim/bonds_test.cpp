// SPDX-License-Identifier: Apache-2.0
//
// Monitors and links over nodes that crash, are cut off and come back: exactly one Down for a monitor,
// behind what was sent before it, and everything tied to a lost node before the news of the node.
#include <cobus/v1/worker.pb.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "tests/sim/seeds.hpp"
#include "tests/sim/sim_cluster.hpp"

namespace cobus::sim {
namespace {

using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What one watcher saw, in order.
struct Watched {
  std::vector<Address> targets;
  std::map<std::uint64_t, int> downs;  // by monitor
  std::map<std::uint64_t, Status> reasons;
  std::map<Address, std::uint64_t> numbers;  // the last that a worker sent
  std::set<Address> gone;
  std::vector<std::string> problems;
  bool node_down = false;
  std::size_t monitors = 0;
};

EchoRequest number(std::uint64_t value) {
  EchoRequest message;
  message.set_text(std::to_string(value));
  return message;
}

// Counts up to its watcher until it ends by itself, normally or by an exception.
Task<> chatter(Self self, Address to, std::uint64_t length, bool breaks) {
  for (std::uint64_t i = 1; i <= length; ++i) {
    static_cast<void>(self.try_send(to, number(i)));
    static_cast<void>(co_await sleep(milliseconds(10)));
  }
  if (breaks) throw std::runtime_error("its time has come");
}

Task<> watch(Self self, Watched* seen, Address* address, std::vector<NodeId> nodes) {
  *address = self.address();
  for (const NodeId node : nodes) self.monitor_node(node);
  for (;;) {
    auto news = co_await self.receive<EchoRequest, v1::Down, v1::NodeDown>(milliseconds(50));
    for (const Address target : std::exchange(seen->targets, {})) {
      static_cast<void>(self.monitor(target));
      ++seen->monitors;
    }
    if (!news) {
      if (news.error().code() == Code::cancelled) co_return;
      continue;
    }
    if (auto* message = news->as<EchoRequest>()) {
      const std::uint64_t value = std::stoull(message->text());
      std::uint64_t& last = seen->numbers[news->from()];
      if (value <= last) seen->problems.push_back("out of order or twice: " + message->text());
      if (seen->gone.contains(news->from())) seen->problems.push_back("a message after its sender's Down");
      last = value;
    } else if (auto* down = news->as<v1::Down>()) {
      ++seen->downs[down->monitor()];
      seen->reasons[down->monitor()] =
          Status(static_cast<Code>(down->reason().code()), down->reason().message());
      seen->gone.insert(Address{NodeId{down->node()}, WorkerId{down->worker()}});
      if (seen->node_down && down->reason().code() == static_cast<int>(Code::unavailable))
        seen->problems.push_back("a Down noconnection after the news of the node");
    } else {
      seen->node_down = true;
    }
  }
}

struct Scene {
  explicit Scene(std::uint64_t seed) : cluster(seed) {
    EXPECT_TRUE(cluster.start({"alpha", "beta", "gamma"}));
    node("alpha").spawn("test.watch", &watch, &seen, &watcher, std::vector{node("beta").id()});
    EXPECT_TRUE(cluster.run_until([this] { return static_cast<bool>(watcher); }, seconds(1)));
  }
  Node& node(const std::string& name) { return *cluster.process(name).node; }
  // Chatterers at `name`, watched; every other breaks at its end.
  void chatter_at(const std::string& name, int count, std::uint64_t length) {
    for (int i = 0; i < count; ++i) {
      node(name).run_on(0, [this, length, i](Home& home) {
        auto function = &chatter;
        Worker& made = home.spawn("test.chatter", function, watcher, length, i % 2 == 0);
        seen.targets.push_back(Self(made).address());
      });
    }
  }
  [[nodiscard]] bool each_monitor_fired() const {
    return seen.monitors > 0 && seen.downs.size() == seen.monitors;
  }
  void check() const {
    for (const auto& [ref, times] : seen.downs) EXPECT_EQ(times, 1) << "monitor " << ref;
    for (const std::string& problem : seen.problems) ADD_FAILURE() << problem;
  }

  SimCluster cluster;
  Watched seen;
  Address watcher;
};

TEST(SimBonds, W2_EveryMonitorAcrossNodesYieldsOneDownBehindWhatWasSent) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    Scene scene(seed);
    scene.chatter_at("beta", 10, 20);
    scene.chatter_at("gamma", 10, 30);
    ASSERT_TRUE(scene.cluster.run_until([&] { return scene.each_monitor_fired(); }, seconds(60)));
    scene.cluster.run_for(seconds(10));
    scene.check();
    for (const auto& [ref, reason] : scene.seen.reasons)
      EXPECT_TRUE(reason.ok() || reason.code() == Code::internal) << reason.to_string();
    for (const auto& [from, last] : scene.seen.numbers)
      EXPECT_GE(last, 20U) << "all that it sent came before its Down";
  }
}

TEST(SimBonds, W4_ANodeThatIsKilledFiresEveryMonitorWithNoconnectionFirst) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    Scene scene(seed);
    scene.chatter_at("beta", 10, 10'000);
    scene.cluster.run_for(milliseconds(500));
    ASSERT_EQ(scene.seen.monitors, 10U);
    scene.cluster.kill("beta");
    ASSERT_TRUE(scene.cluster.run_until([&] { return scene.each_monitor_fired() && scene.seen.node_down; },
                                        seconds(8)));
    scene.cluster.run_for(seconds(10));
    scene.check();
    for (const auto& [ref, reason] : scene.seen.reasons) EXPECT_EQ(exit_reason::name(reason), "noconnection");
  }
}

TEST(SimBonds, W4_ACutFiresEveryMonitorOnceAndNothingIsResurrected) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    Scene scene(seed);
    scene.chatter_at("beta", 10, 10'000);
    scene.cluster.run_for(milliseconds(500));
    const auto alpha = scene.cluster.process("alpha").host;
    const auto beta = scene.cluster.process("beta").host;
    scene.cluster.network().cut(alpha, beta);
    ASSERT_TRUE(scene.cluster.run_until([&] { return scene.each_monitor_fired() && scene.seen.node_down; },
                                        seconds(12)));
    scene.cluster.network().heal(alpha, beta);
    scene.cluster.run_for(seconds(20));
    for (const auto& [ref, times] : scene.seen.downs) EXPECT_EQ(times, 1);
    // They are alive: a new monitor finds them.
    scene.seen.targets.assign(scene.seen.gone.begin(), scene.seen.gone.end());
    scene.seen.gone.clear();
    scene.cluster.run_for(seconds(5));
    EXPECT_EQ(scene.seen.monitors, 20U);
    EXPECT_EQ(scene.seen.downs.size(), 10U) << "the workers of the other side live on";
  }
}

TEST(SimBonds, W3_LinksTakeWorkersOfOtherNodesAlong) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    Scene scene(seed);
    const auto linked = +[](Self self, Address to, Address* mine) -> Task<> {
      *mine = self.address();
      if (to) self.link(to);
      static_cast<void>(co_await self.receive<v1::Down>());
    };
    Address first;
    Address second;
    Address third;
    scene.node("beta").spawn("test.linked", linked, Address{}, &first);
    scene.cluster.run_for(seconds(1));
    scene.node("gamma").spawn("test.linked", linked, first, &second);
    scene.cluster.run_for(seconds(1));
    scene.node("alpha").spawn("test.linked", linked, second, &third);
    scene.cluster.run_for(seconds(1));
    scene.seen.targets = {first, second, third};
    scene.cluster.run_for(seconds(1));
    ASSERT_EQ(scene.seen.monitors, 3U);
    scene.node("alpha").run_on(scene.watcher.worker.shard(), [first, &scene](Home& home) {
      home.exit(*home.find(scene.watcher.worker), first, exit_reason::kill());
    });
    ASSERT_TRUE(scene.cluster.run_until([&] { return scene.each_monitor_fired(); }, seconds(5)));
    scene.check();
    for (const auto& [ref, reason] : scene.seen.reasons) EXPECT_EQ(exit_reason::name(reason), "killed");
  }
}

TEST(SimBonds, W3_AnUnlinkThatReachesNobodyLeavesNoLinkBehind) {
  Scene scene(1);
  const auto changes_its_mind = +[](Self self) -> Task<> {
    const Address nowhere{NodeId{12345}, WorkerId::make(0, 1, 1)};
    self.link(nowhere);
    self.unlink(nowhere);
    static_cast<void>(co_await self.receive<v1::Down>());
  };
  scene.node("alpha").run_on(0, [changes_its_mind](Home& home) {
    auto function = changes_its_mind;
    home.spawn("test.fickle", function);
  });
  scene.cluster.run_for(seconds(1));
  EXPECT_EQ(scene.node("alpha").home(0).held().ties, 0U);
}

}  // namespace
}  // namespace cobus::sim
