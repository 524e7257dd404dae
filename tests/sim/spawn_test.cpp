// SPDX-License-Identifier: Apache-2.0
//
// Workers that are made on other nodes, by kind: bound to their spawner from the first instant, and started
// again elsewhere when their node is lost.
#include <cobus/v1/worker.pb.h>
#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "node/worker/spawn.hpp"
#include "node/worker/supervisor.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/sim/sim_cluster.hpp"

namespace cobus::sim {
namespace {

using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

EchoRequest word(std::string text) {
  EchoRequest made;
  made.set_text(std::move(text));
  return made;
}

// Members that live now, at which node, in all of the cluster.
std::map<std::string, int>& living() {
  static std::map<std::string, int> all;
  return all;
}

// Lives until it is told something; "crash" does not live long.
Task<> member(Self self, EchoRequest start) {
  struct Alive {
    explicit Alive(const std::string& at) : node(at) { ++living()[node]; }
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;
    ~Alive() { --living()[node]; }
    std::string node;
  } const alive(self.node().name());
  if (start.text() == "crash") throw std::runtime_error("made to break");
  static_cast<void>(co_await self.receive<EchoRequest>());
}

// What happened to a spawner, in order.
struct Story {
  std::vector<std::string> told;
  Address made;
  Address spawner;
};

Task<> spawner(Self self, Story* story, NodeId node, std::string kind, std::string text,
               SpawnOptions options) {
  story->spawner = self.address();
  self.trap_exits(true);
  const Result<Spawned> spawned =
      co_await spawn_at(self, node, std::move(kind), word(std::move(text)), options);
  if (spawned) {
    story->made = spawned->address;
    story->told.emplace_back("made");
  } else {
    story->told.push_back("error " + std::string(exit_reason::name(spawned.error())));
  }
  for (;;) {
    auto news = co_await self.receive<v1::Down, v1::Exit>();
    if (!news) co_return;
    const auto name = [](const v1::Status& reason) {
      return std::string(exit_reason::name(Status(static_cast<Code>(reason.code()), reason.message())));
    };
    if (const auto* down = news->as<v1::Down>()) story->told.push_back("down " + name(down->reason()));
    if (const auto* exit = news->as<v1::Exit>()) story->told.push_back("exit " + name(exit->reason()));
  }
}

struct Scene {
  explicit Scene(std::uint64_t seed) : cluster(seed) {
    living().clear();
    cluster.offer(make_kind("test.Member", &member));
    cluster.start_broker();
    for (const char* name : {"alpha", "beta", "gamma"}) cluster.start_node(name);
    EXPECT_TRUE(
        cluster.run_until([this] { return cluster.sees("alpha", {"alpha", "beta", "gamma"}); }, seconds(10)));
  }
  Node& node(const std::string& name) { return *cluster.process(name).node; }
  void spawn(NodeId at, std::string kind, std::string text, SpawnOptions options = {}) {
    node("alpha").spawn("test.spawner", &spawner, &story, at, std::move(kind), std::move(text), options);
  }
  bool told(std::size_t count, Duration longest = seconds(10)) {
    return cluster.run_until([this, count] { return story.told.size() >= count; }, longest);
  }
  static int alive() {
    int sum = 0;
    for (const auto& [node, count] : living()) sum += count;
    return sum;
  }

  Story story;  // outlives the workers that write it
  SimCluster cluster;
};

using Told = std::vector<std::string>;

TEST(SimSpawn, AWorkerOfAnotherNodeIsMadeAndBoundToItsSpawner) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    Scene scene(seed);
    scene.spawn(scene.node("beta").id(), "test.Member", "stay", {.monitor = true, .link = true});
    ASSERT_TRUE(scene.told(1));
    EXPECT_EQ(scene.story.made.node, scene.node("beta").id());
    scene.cluster.run_for(seconds(1));
    EXPECT_EQ(living()["beta"], 1);
    scene.node("alpha").run_on(0, [&scene](Home& home) { home.kill(scene.story.made, "by the test"); });
    ASSERT_TRUE(scene.told(3));
    scene.cluster.run_for(seconds(5));
    EXPECT_EQ(scene.story.told, (Told{"made", "down killed", "exit killed"}));
  }
}

TEST(SimSpawn, W2_OneThatBreaksAtOnceIsHeardOfRightBehindItsBirth) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    Scene scene(seed);
    scene.spawn(NodeId::none, "test.Member", "crash", {.monitor = true, .link = true});
    ASSERT_TRUE(scene.told(3));
    scene.cluster.run_for(seconds(5));
    EXPECT_EQ(scene.story.told, (Told{"made", "down crash", "exit crash"}));
  }
}

TEST(SimSpawn, W3_TheEndOfTheSpawnerTakesALinkedWorkerOfAnotherNodeAlong) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    Scene scene(seed);
    scene.spawn(scene.node("gamma").id(), "test.Member", "stay", {.link = true});
    ASSERT_TRUE(scene.told(1));
    scene.cluster.run_for(seconds(1));
    ASSERT_EQ(living()["gamma"], 1);
    scene.node("alpha").run_on(0, [&scene](Home& home) { home.kill(scene.story.spawner, "by the test"); });
    EXPECT_TRUE(scene.cluster.run_until([] { return Scene::alive() == 0; }, seconds(5)));
  }
}

TEST(SimSpawn, WhatCannotBeMadeIsAnErrorAndNothingElse) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    Scene scene(seed);
    scene.spawn(scene.node("beta").id(), "test.Nobody", "", {.monitor = true, .link = true});
    ASSERT_TRUE(scene.told(1));
    scene.spawn(NodeId::none, "test.Nobody", "", {.monitor = true});
    ASSERT_TRUE(scene.told(2));
    scene.spawn(NodeId{12345}, "test.Member", "", {.monitor = true});
    ASSERT_TRUE(scene.told(3));
    scene.cluster.run_for(seconds(10));
    EXPECT_EQ(scene.story.told, (Told{"error noproc", "error noproc", "error noproc"}));
  }
}

TEST(SimSpawn, AWorkerThatNobodyWaitsForAnyMoreDoesNotLive) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    Scene scene(seed);
    scene.spawn(scene.node("beta").id(), "test.Member", "stay", {.link = true});
    // The spawner goes while its request is on the way, at another moment with each seed.
    scene.cluster.run_until([&scene] { return static_cast<bool>(scene.story.spawner); }, seconds(1));
    scene.cluster.run_for(std::chrono::microseconds(seed * 37 % 2000));
    scene.node("alpha").run_on(0, [&scene](Home& home) { home.kill(scene.story.spawner, "by the test"); });
    scene.cluster.run_for(seconds(5));
    EXPECT_EQ(Scene::alive(), 0);
  }
}

TEST(SimSpawn, NobodyIsMadeForASpawnerWhoseNodeIsLostBeforeItsRequestIsHandled) {
  Scene scene(1);
  scene.node("beta").run_on(0, [](Home& home) {
    const NodeId lost{12345};
    v1::SpawnRequest wanted;
    wanted.set_kind("test.Member");
    wanted.set_argument(word("stay").SerializeAsString());
    wanted.set_link(true);
    EnvelopePtr request = std::make_unique<TypedEnvelope<v1::SpawnRequest>>(std::move(wanted));
    request->kind = v1::REQUEST;
    request->from = Address{lost, WorkerId::make(0, 1, 1)};
    request->call = 1;
    request->extra().to_name = "cobus.v1.Workers/Spawn";
    request->extra().caller = Caller{"lost", v1::NODE};
    home.expect();
    home.receive(std::move(request));
    home.peer_lost(lost, Status(Code::unavailable, "lost"));
  });
  scene.cluster.run_for(seconds(5));
  EXPECT_EQ(Scene::alive(), 0);
  EXPECT_EQ(scene.node("beta").home(0).held().ties, 0U);
}

TEST(SimSpawn, W6_ASupervisorStartsItsChildrenElsewhereWhenTheirNodeIsLost) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    Scene scene(seed);
    SupervisorSpec spec;
    spec.intensity = 20;
    spec.backoff_first = milliseconds(50);
    for (int i = 0; i < 6; ++i) {
      ChildSpec child;
      child.id = "member " + std::to_string(i);
      child.start = start_anywhere("test.Member", word("stay"));
      spec.children.push_back(std::move(child));
    }
    scene.node("alpha").spawn("test.supervisor", &supervise, std::move(spec));
    ASSERT_TRUE(scene.cluster.run_until([] { return Scene::alive() == 6; }, seconds(10)));
    ASSERT_GE(living()["beta"], 1);
    scene.cluster.kill("beta");
    ASSERT_LT(Scene::alive(), 6);
    EXPECT_TRUE(scene.cluster.run_until([] { return Scene::alive() == 6; }, seconds(10)));
    scene.cluster.run_for(seconds(10));
    EXPECT_EQ(Scene::alive(), 6);
    EXPECT_EQ(living()["beta"], 0);
  }
}

}  // namespace
}  // namespace cobus::sim
