// SPDX-License-Identifier: Apache-2.0
//
// Senders of other nodes that are faster than their reader: they wait for room in its mailbox, and go on, or
// hear why not, whatever becomes of it and of its node.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "echo.cobus.h"
#include "node/worker/self.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/sim/sim_cluster.hpp"
#include "tests/support/echo_messages.hpp"

namespace cobus::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t room = 20;
constexpr Duration pace = std::chrono::microseconds(50);

// What a reader got.
struct Heard {
  Address reader;
  std::map<Address, int> next;  // the number that is due of each sender
  int count = 0;
  bool in_order = true;
};

// With a small mailbox; reads one message in a while, until it has read so many.
Task<> reader(Self self, Heard* heard, int count, Duration between) {
  MailboxLimits limits;
  limits.messages = room;
  self.limit_mailbox(limits);
  heard->reader = self.address();
  while (heard->count < count) {
    auto message = co_await self.receive<echo::EchoRequest>();
    if (!message) co_return;
    int& next = heard->next[message->from()];
    const std::string& text = (*message)->text();
    if (text.substr(0, text.find(' ')) != std::to_string(next++)) heard->in_order = false;
    ++heard->count;
    static_cast<void>(co_await sleep(between));
  }
}

struct Sending {
  Address sender;
  int sent = 0;
  std::optional<Status> over;  // ok: all was sent
};

Task<> sender(Self self, Address to, int count, std::size_t bytes, Sending* sending) {
  sending->sender = self.address();
  for (int i = 0; i < count; ++i) {
    Status status = co_await self.send(to, say(std::to_string(i) + ' ' + std::string(bytes, 'x')));
    if (!status.ok()) {
      sending->over = std::move(status);
      co_return;
    }
    ++sending->sent;
    static_cast<void>(co_await sleep(pace));
  }
  sending->over = Status();
}

class SimRooms {
 public:
  explicit SimRooms(std::uint64_t seed) : cluster(seed) {
    EXPECT_TRUE(cluster.start({"alpha", "beta", "gamma"}));
    cluster.after_each_round([this] { look(); });
  }
  Node& node(const std::string& name) { return *cluster.process(name).node; }
  void read_at(const std::string& name, int count, Duration between) {
    node(name).spawn("test.reader", &reader, &heard, count, between);
    EXPECT_TRUE(cluster.run_until([this] { return static_cast<bool>(heard.reader); }, seconds(1)));
  }
  void send_from(const std::string& name, int count, std::size_t bytes, Sending* sending) {
    node(name).spawn("test.sender", &sender, heard.reader, count, bytes, sending);
  }
  // Until the sender has to wait.
  void until_it_waits(const Sending& sending) {
    int before = -1;
    while (before != sending.sent) {
      before = sending.sent;
      cluster.run_for(milliseconds(200));
    }
    EXPECT_FALSE(sending.over);
    EXPECT_GT(sending.sent, 0);
  }
  void look() {
    Process* const beta = cluster.find("beta");
    if (beta == nullptr || !heard.reader) return;
    Worker* const worker = beta->node->home(heard.reader.worker.shard()).find(heard.reader.worker);
    if (worker == nullptr) return;
    most_messages = std::max(most_messages, worker->mailbox.size());
    most_bytes = std::max(most_bytes, worker->mailbox.bytes());
  }
  std::uint64_t dead(const std::string& name) { return node(name).dead_letters().total(); }
  void expect_nothing_kept() {
    for (const auto& [name, process] : cluster.processes()) {
      for (unsigned shard = 0; shard < process->node->shards(); ++shard) {
        const Home::Held held = process->node->home(shard).held();
        EXPECT_EQ(held.senders_waiting, 0U) << name;
        EXPECT_EQ(held.full_elsewhere, 0U) << name;
        EXPECT_EQ(held.told_full, 0U) << name;
      }
    }
  }

  SimCluster cluster;
  Heard heard;
  std::size_t most_messages = 0;
  std::size_t most_bytes = 0;
};

TEST(SimRoom, M3_SendersOfTwoNodesWaitForASlowReaderAndEveryMessageArrivesInOrder) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    sim.read_at("beta", 4000, milliseconds(1));
    std::vector<Sending> sendings(4);
    for (std::size_t i = 0; i < sendings.size(); ++i)
      sim.send_from(i % 2 == 0 ? "alpha" : "gamma", 1000, 100, &sendings[i]);
    ASSERT_TRUE(sim.cluster.run_until([&] { return sim.heard.count == 4000; }, seconds(60)));
    EXPECT_TRUE(sim.heard.in_order);
    for (const Sending& sending : sendings) EXPECT_TRUE(sending.over && sending.over->ok());
    EXPECT_GT(sim.most_messages, room) << "else nobody had to wait";
    EXPECT_LT(sim.most_messages, 2000U) << "what is on its way when it says that it is full, and no more";
    for (const char* name : {"alpha", "beta", "gamma"}) EXPECT_EQ(sim.dead(name), 0U) << name;
    sim.cluster.run_for(seconds(1));
    sim.expect_nothing_kept();
  }
}

TEST(SimRoom, M3_LargeMessagesKeepToTheBoundsInBytes) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    sim.read_at("beta", 200, milliseconds(20));
    Sending sending;
    sim.send_from("alpha", 200, 50'000, &sending);
    ASSERT_TRUE(sim.cluster.run_until([&] { return sim.heard.count == 200; }, seconds(60)));
    EXPECT_TRUE(sim.heard.in_order);
    EXPECT_LT(sim.most_bytes, 8'000'000U);
    EXPECT_EQ(sim.dead("alpha") + sim.dead("beta"), 0U);
  }
}

TEST(SimRoom, M3_TrySendSaysThatAMailboxOfAnotherNodeIsFullAndWhenItIsNot) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    sim.read_at("beta", 1000, milliseconds(5));
    struct Tries {
      int ok = 0;
      int refused = 0;
    } tries;
    const auto trier = +[](Self self, Address to, Tries* counted) -> Task<> {
      while (counted->ok < 1000) {
        const Status status = self.try_send(to, say(std::to_string(counted->ok) + ' '));
        if (status.ok()) {
          ++counted->ok;
        } else {
          EXPECT_EQ(status.code(), Code::resource_exhausted);
          ++counted->refused;
        }
        static_cast<void>(co_await sleep(std::chrono::microseconds(status.ok() ? 100 : 5000)));
      }
    };
    sim.node("alpha").spawn("test.trier", trier, sim.heard.reader, &tries);
    ASSERT_TRUE(sim.cluster.run_until([&] { return sim.heard.count == 1000; }, seconds(60)));
    EXPECT_TRUE(sim.heard.in_order);
    EXPECT_GT(tries.refused, 10);
    EXPECT_EQ(sim.dead("alpha") + sim.dead("beta"), 0U);
  }
}

TEST(SimRoom, M3_WhoWaitsForAWorkerOfAnotherNodeThatEndsHearsSo) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    sim.read_at("beta", 10, milliseconds(100));
    std::vector<Sending> sendings(2);
    sim.send_from("alpha", 100'000, 0, &sendings[0]);
    sim.send_from("gamma", 100'000, 0, &sendings[1]);
    ASSERT_TRUE(sim.cluster.run_until(
        [&] {
          return std::ranges::all_of(sendings, [](const Sending& one) { return one.over.has_value(); });
        },
        seconds(10)));
    for (const Sending& sending : sendings) EXPECT_EQ(sending.over->code(), Code::not_found);
    sim.cluster.run_for(seconds(1));
    sim.expect_nothing_kept();
  }
}

TEST(SimRoom, M3_AStopReachesWhoWaitsForRoomAtAnotherNode) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    sim.read_at("beta", 100'000, seconds(100));
    Sending sending;
    sim.send_from("alpha", 100'000, 0, &sending);
    sim.until_it_waits(sending);
    sim.node("alpha").run_on(sending.sender.worker.shard(),
                             [id = sending.sender.worker](Home& home) { home.find(id)->stop.request(); });
    ASSERT_TRUE(sim.cluster.run_until([&] { return sending.over.has_value(); }, seconds(1)));
    EXPECT_EQ(sending.over->code(), Code::cancelled);
  }
}

TEST(SimRoom, M3_WhoWaitsForANodeThatIsLostHearsSo) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    sim.read_at("beta", 100'000, seconds(100));
    std::vector<Sending> sendings(2);
    sim.send_from("alpha", 100'000, 0, &sendings[0]);
    sim.send_from("gamma", 100'000, 0, &sendings[1]);
    for (const Sending& sending : sendings) sim.until_it_waits(sending);
    sim.cluster.kill("beta");
    ASSERT_TRUE(sim.cluster.run_until(
        [&] {
          return std::ranges::all_of(sendings, [](const Sending& one) { return one.over.has_value(); });
        },
        seconds(8)));
    for (const Sending& sending : sendings)
      EXPECT_EQ(exit_reason::name(*sending.over), "noconnection") << sending.over->to_string();
    sim.cluster.run_for(seconds(1));
    sim.expect_nothing_kept();
  }
}

// Else they would wait for each other: it for the message, the message for room.
TEST(SimRoom, M3_AWorkerGetsWhatItWaitsForPastItsFullMailboxFromAnotherNode) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    bool got = false;
    const auto picky = +[](Self self, Heard* heard, bool* into) -> Task<> {
      MailboxLimits limits;
      limits.messages = room;
      self.limit_mailbox(limits);
      heard->reader = self.address();
      for (int i = 0; i < 3; ++i) {
        auto reply = co_await self.receive<echo::EchoReply>();
        if (!reply) co_return;
      }
      *into = true;
    };
    sim.node("beta").spawn("test.picky", picky, &sim.heard, &got);
    ASSERT_TRUE(sim.cluster.run_until([&] { return static_cast<bool>(sim.heard.reader); }, seconds(1)));
    Sending sending;
    sim.send_from("alpha", 100'000, 0, &sending);
    sim.until_it_waits(sending);
    const auto reply = +[](Self self, Address to) -> Task<> {
      EXPECT_TRUE((co_await self.send(to, echo::EchoReply())).ok());
    };
    for (int i = 0; i < 3; ++i) sim.node("alpha").spawn("test.reply", reply, sim.heard.reader);
    EXPECT_TRUE(sim.cluster.run_until([&] { return got; }, seconds(5)));
    ASSERT_TRUE(sim.cluster.run_until([&] { return sending.over.has_value(); }, seconds(1)));
    EXPECT_EQ(sending.over->code(), Code::not_found) << "it has read what it wanted";
    sim.cluster.run_for(seconds(1));
    sim.expect_nothing_kept();
  }
}

// The way to the node is slow, not the reader.
TEST(SimRoom, M3_SendersWaitWhileAsMuchWaitsForTheirReadersNodeAsMay) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    sim.read_at("beta", 320, Duration(0));
    sim.cluster.network().options().in_flight_bytes_max = 200'000;
    std::vector<Sending> sendings(8);
    for (Sending& sending : sendings) sim.send_from("alpha", 40, 100'000, &sending);
    ASSERT_TRUE(sim.cluster.run_until([&] { return sim.heard.count == 320; }, seconds(60)));
    EXPECT_TRUE(sim.heard.in_order);
    for (const Sending& sending : sendings) EXPECT_TRUE(sending.over && sending.over->ok());
    EXPECT_EQ(sim.dead("alpha") + sim.dead("beta"), 0U);
    sim.expect_nothing_kept();
  }
}

TEST(SimRoom, M3_WhoWaitsToSendToANodeThatIsLostHearsSo) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    sim.read_at("beta", 100'000, Duration(0));
    Sending first;
    sim.send_from("alpha", 1, 0, &first);
    ASSERT_TRUE(sim.cluster.run_until([&] { return first.over.has_value(); }, seconds(1)));
    sim.cluster.network().cut(sim.cluster.process("alpha").host, sim.cluster.process("beta").host);
    std::vector<Sending> sendings(4);
    for (Sending& sending : sendings) sim.send_from("alpha", 100'000, 500'000, &sending);
    ASSERT_TRUE(sim.cluster.run_until(
        [&] {
          return std::ranges::all_of(sendings, [](const Sending& one) { return one.over.has_value(); });
        },
        seconds(15)));
    for (const Sending& sending : sendings) EXPECT_EQ(sending.over->code(), Code::unavailable);
    sim.cluster.run_for(seconds(1));
    sim.expect_nothing_kept();
  }
}

// A new session begins without what was said in the last one, at either end.
TEST(SimRoom, M3_AfterACutSendersGoOnWithTheWorkerThatIsStillThere) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    sim.read_at("beta", 100'000, milliseconds(50));
    Sending sending;
    sim.send_from("alpha", 100'000, 0, &sending);
    sim.until_it_waits(sending);
    const std::string alpha = sim.cluster.process("alpha").host;
    const std::string beta = sim.cluster.process("beta").host;
    sim.cluster.network().cut(alpha, beta);
    ASSERT_TRUE(sim.cluster.run_until([&] { return sending.over.has_value(); }, seconds(12)));
    EXPECT_EQ(sending.over->code(), Code::unavailable);
    sim.cluster.network().heal(alpha, beta);
    sim.cluster.run_for(seconds(5));
    Sending again;
    sim.send_from("alpha", 500, 0, &again);
    EXPECT_TRUE(sim.cluster.run_until([&] { return again.over.has_value(); }, seconds(100)));
    EXPECT_TRUE(again.over && again.over->ok());
    const int all = sending.sent + again.sent;
    sim.cluster.run_until([&] { return sim.heard.count == all; }, seconds(100));
    EXPECT_EQ(sim.heard.count, all) << "but for what was on its way when the connection broke: nothing was";
  }
}

// To many workers at once, each of which would have room: together they may not have more than one node may.
TEST(SimRoom, M5_ANodeThatSendsToManySlowWorkersWaitsBeforeItHasMoreThanItMay) {
  for (const std::uint64_t seed : seeds()) {
    if (seed > 10 && !replays_one_seed()) break;  // each moves 100 MB
    SCOPED_TRACE(replay(seed));
    SimRooms sim(seed);
    struct Lazy {
      Address address;
      int read = 0;
    };
    const auto lazy = +[](Self self, Lazy* its) -> Task<> {
      its->address = self.address();
      for (; its->read < 12; ++its->read) {
        static_cast<void>(co_await sleep(milliseconds(500)));
        if (!co_await self.receive<echo::EchoRequest>()) co_return;
      }
    };
    const auto send_large = +[](Self self, Address to) -> Task<> {
      for (int i = 0; i < 12; ++i) {
        EXPECT_TRUE((co_await self.send(to, say(std::string(1'000'000, 'x')))).ok());
        static_cast<void>(co_await sleep(milliseconds(50)));
      }
    };
    std::vector<Lazy> readers(8);
    for (Lazy& one : readers) sim.node("beta").spawn("test.lazy", lazy, &one);
    sim.cluster.run_for(milliseconds(100));
    for (Lazy& one : readers) sim.node("alpha").spawn("test.send", send_large, one.address);
    const PeerAccounts& accounts = sim.node("beta").peer_accounts();
    const NodeId alpha = sim.node("alpha").id();
    std::uint64_t most = 0;
    sim.cluster.after_each_round([&] { most = std::max(most, accounts.held_of(alpha)); });
    ASSERT_TRUE(sim.cluster.run_until(
        [&] { return std::ranges::all_of(readers, [](const Lazy& one) { return one.read == 12; }); },
        seconds(30)));
    EXPECT_GT(most, limits::peer_held_bytes_max / 2) << "else nobody had to wait";
    EXPECT_LT(most, limits::peer_held_bytes_max);
    EXPECT_EQ(sim.dead("alpha") + sim.dead("beta"), 0U);
    sim.cluster.run_for(seconds(1));
    EXPECT_EQ(accounts.held_of(alpha), 0U);
    sim.expect_nothing_kept();
  }
}

}  // namespace
}  // namespace cobus::sim
