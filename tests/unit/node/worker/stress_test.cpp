// SPDX-License-Identifier: Apache-2.0
//
// Workers of several shards on real threads do to one another at random whatever a worker can do. For the
// sanitizers, and for what no single step shows: each monitor fires exactly once, and nothing is left at the
// end. COBUS_STRESS_SECONDS=N runs it longer than the usual second.
#include <cobus/v1/worker.pb.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "echo.cobus.h"
#include "node/runtime/offload.hpp"
#include "node/runtime/random.hpp"
#include "node/runtime/scope.hpp"
#include "node/runtime/with_timeout.hpp"
#include "node/worker/local_node.hpp"
#include "tests/support/echo_messages.hpp"

namespace cobus {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned shards = 3;

// What the workers find one another on, and what is counted. Outlives the node.
struct Board {
  std::array<std::atomic<std::uint64_t>, 64> workers{};
  std::atomic<std::uint64_t> monitors{0};
  std::atomic<std::uint64_t> downs{0};
  std::atomic<std::uint64_t> answered{0};
  std::atomic<std::uint64_t> strange{0};  // a Down that nobody waits for
  std::atomic<bool> over{false};
};

// Answers now or later, in the pool, through itself, or not at all.
class Moody final : public echo::EchoService {
 public:
  Task<Result<EchoReply>> Echo(Call call, EchoRequest request) override {
    const std::size_t mood = std::hash<std::string>{}(request.text()) % 5;
    if (mood == 0) static_cast<void>(co_await sleep(milliseconds(1)));
    if (mood == 1) static_cast<void>(co_await offload([] { return true; }));
    if (mood == 2) throw std::runtime_error("moody");
    if (mood == 3 && request.text().size() < 4) {
      CallOptions options;
      options.timeout = milliseconds(2);
      co_return co_await echo::EchoStub(call.self()).Echo(say(request.text() + "x"), options);
    }
    EchoReply reply;
    reply.set_text(request.text());
    co_return reply;
  }
};

class Restless {
 public:
  Restless(Self self, Board* board, std::uint64_t seed) : self_(self), board_(board), random_(seed) {}
  Task<> live(int steps);

 private:
  Address somebody() {
    const WorkerId id{board_->workers[random_.below(board_->workers.size())].load()};
    return id ? Address{self_.node().id(), id} : self_.address();
  }
  Task<> step();
  void bond(Address other);
  Task<> ask(Address other);
  Task<> children();

  Self self_;
  Board* board_;
  SeededRandom random_;
  std::set<std::uint64_t> open_;  // monitors whose Down has not come
};

Task<> restless(Self self, Board* board, std::uint64_t seed) {
  Restless one(self, board, seed);
  co_await one.live(30);
}

void Restless::bond(Address other) {
  switch (random_.below(6)) {
    case 0:
      if (!open_.empty()) {
        self_.demonitor(MonitorRef{*open_.begin()});
        open_.erase(open_.begin());
      }
      return;
    case 1:
      return self_.link(other);
    case 2:
      return self_.unlink(other);
    case 3:
      return self_.trap_exits(random_.below(2) == 0);
    case 4:
      return self_.exit(other, random_.below(2) == 0 ? exit_reason::kill() : exit_reason::shutdown());
    default:
      open_.insert(static_cast<std::uint64_t>(self_.monitor(other)));
  }
}

Task<> Restless::ask(Address other) {
  CallOptions options;
  options.timeout = microseconds(random_.below(4000));
  Result<EchoReply> reply =
      random_.below(2) == 0
          ? co_await call_worker<EchoReply>(self_, other, say("?"), options)
          : co_await echo::EchoStub(self_).Echo(say(std::to_string(random_.below(50))), options);
  if (reply) ++board_->answered;
}

Task<Status> nap(microseconds time) { co_return co_await sleep(time); }

Task<> Restless::children() {
  Scope scope;
  for (int i = 0; i < 3; ++i) scope.spawn(nap(microseconds(random_.below(1000))));
  if (random_.below(2) == 0) scope.cancel();
  if (random_.below(3) != 0) static_cast<void>(co_await scope.join());
}

Task<> Restless::step() {
  const Address other = somebody();
  switch (random_.below(8)) {
    case 0:
      co_return co_await ask(other);
    case 1:
      co_return co_await children();
    case 2:
      static_cast<void>(co_await offload([](OffloadStop stop) { return stop.requested(); }));
      co_return;
    case 3:
      if (random_.below(2) == 0) {
        self_.spawn_link("restless", &restless, board_, random_.next());
      } else {
        open_.insert(static_cast<std::uint64_t>(
            self_.spawn_monitor("restless", &restless, board_, random_.next()).monitor));
      }
      co_return;
    case 4:
      static_cast<void>(co_await with_timeout(microseconds(random_.below(500)), nap(microseconds(300))));
      co_return;
    case 5:
      static_cast<void>(co_await self_.send(other, say("hello")));
      co_return;
    default:
      bond(other);
  }
}

Task<> Restless::live(int steps) {
  board_->workers[random_.below(board_->workers.size())].store(self_.address().worker.value);
  MailboxLimits limits;
  limits.messages = 20;
  limits.overflow = static_cast<Overflow>(random_.below(4));
  self_.limit_mailbox(limits);
  for (; steps > 0 && !board_->over; --steps) {
    co_await step();
    if (random_.below(200) == 0) throw std::runtime_error("it happens");
    auto news = co_await self_.receive<EchoRequest, v1::Down, v1::Exit>(microseconds(random_.below(1000)));
    if (!news && news.error().code() == Code::cancelled) co_return;
    if (!news) continue;
    if (const auto* down = news->as<v1::Down>()) {
      if (open_.erase(down->monitor()) == 0) ++board_->strange;
    } else if (news->wants_reply() && random_.below(2) == 0) {
      news->reply(EchoReply());
    }
  }
}

// Never ends by itself: each of its monitors fires exactly once.
Task<> watch(Self self, Board* board, std::uint64_t seed) {
  SeededRandom random(seed);
  self.trap_exits(true);
  std::set<std::uint64_t> open;
  for (;;) {
    const WorkerId id{board->workers[random.below(board->workers.size())].load()};
    if (id && id != self.address().worker && !board->over) {
      open.insert(static_cast<std::uint64_t>(self.monitor({self.node().id(), id})));
      ++board->monitors;
    }
    auto down = co_await self.receive<v1::Down>(microseconds(300));
    if (!down && down.error().code() == Code::cancelled) co_return;
    if (!down) continue;
    ++board->downs;
    if (open.erase((*down)->monitor()) == 0) ++board->strange;
  }
}

TEST(Stress, W2_EveryMonitorFiresOnceAndNothingIsLeftWhateverWorkersDoToOneAnother) {
  const char* text = std::getenv("COBUS_STRESS_SECONDS");  // NOLINT(concurrency-mt-unsafe): one thread
  const auto until = std::chrono::steady_clock::now() + seconds(text == nullptr ? 1 : std::atoi(text));
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);
  Board board;
  {
    LocalNode lone(shards);
    Node& node = lone.node();
    node.add_service(std::make_unique<Moody>());
    const auto workers = [&node] {
      std::size_t count = 0;
      for (unsigned shard = 0; shard < shards; ++shard) count += node.home(shard).workers();
      return count;
    };
    for (unsigned shard = 0; shard < shards; ++shard) node.spawn("watch", &watch, &board, shard + 1);
    std::uint64_t seed = 1;
    while (std::chrono::steady_clock::now() < until) {
      while (workers() < 300) {
        for (int i = 0; i < 30; ++i) node.spawn("restless", &restless, &board, ++seed);
        std::this_thread::sleep_for(milliseconds(1));
      }
      std::this_thread::sleep_for(milliseconds(1));
    }
    board.over = true;
    const auto patience = std::chrono::steady_clock::now() + seconds(30);
    const auto settled = [&] { return workers() == shards && board.downs == board.monitors; };
    while (!settled() && std::chrono::steady_clock::now() < patience)
      std::this_thread::sleep_for(milliseconds(5));
    EXPECT_EQ(workers(), shards) << "only those that watch are left";
    EXPECT_EQ(board.downs.load(), board.monitors.load());
    EXPECT_EQ(node.calls_running.load(), 0U);
  }
  EXPECT_EQ(board.strange.load(), 0U);
  EXPECT_GT(board.monitors.load(), 100U);
  EXPECT_GT(board.answered.load(), 10U);
  spdlog::set_level(level);
}

// Readers with small mailboxes, on every shard and slower than those who send to them, whom the end of one
// does not keep from sending to the next.
struct Traffic {
  std::array<std::atomic<std::uint64_t>, 6> readers{};
  std::atomic<std::uint64_t> attempts{0};  // that were not refused for want of room
  std::atomic<std::uint64_t> read{0};
  std::atomic<std::uint64_t> disorder{0};
  std::atomic<std::uint64_t> most_waiting{0};
  std::atomic<int> senders{0};
  bool readers_end = false;
};

Task<> slow_reader(Self self, Traffic* traffic, std::size_t place, std::uint64_t seed) {
  SeededRandom random(seed);
  MailboxLimits limits;
  limits.messages = 16;
  self.limit_mailbox(limits);
  traffic->readers[place].store(self.address().worker.value);
  std::map<Address, std::uint64_t> last;
  for (std::uint64_t left = 200 + random.below(200); left > 0; left -= traffic->readers_end ? 1 : 0) {
    auto message = co_await self.receive<EchoRequest>();
    if (!message) co_return;
    ++traffic->read;
    const std::uint64_t number = std::stoull((*message)->text());
    if (number <= std::exchange(last[message->from()], number)) ++traffic->disorder;
    const std::size_t waiting = self.worker().mailbox.size();
    if (waiting > traffic->most_waiting.load()) traffic->most_waiting.store(waiting);
    if (random.below(16) == 0) static_cast<void>(co_await sleep(microseconds(random.below(100))));
  }
  self.node().spawn("slow reader", &slow_reader, traffic, place, random.next());
}

Task<> polite_sender(Self self, Traffic* traffic, std::uint64_t seed) {
  SeededRandom random(seed);
  for (std::uint64_t number = 1; number <= 2000; ++number) {
    const WorkerId id{traffic->readers[random.below(traffic->readers.size())].load()};
    const Address to{self.node().id(), id};
    if (random.below(4) == 0) {
      if (self.try_send(to, say(std::to_string(number))).code() != Code::resource_exhausted)
        ++traffic->attempts;
    } else {
      ++traffic->attempts;
      static_cast<void>(co_await self.send(to, say(std::to_string(number))));
    }
  }
  --traffic->senders;
}

TEST(Stress, M3_NothingIsLostOrLeftWaitingWhoeverSendsFasterThanOthersRead) {
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);
  for (const bool readers_end : {false, true}) {
    Traffic traffic;
    traffic.readers_end = readers_end;
    traffic.senders = 18;
    {
      LocalNode lone(shards);
      Node& node = lone.node();
      for (std::size_t place = 0; place < traffic.readers.size(); ++place)
        node.spawn("slow reader", &slow_reader, &traffic, place, place);
      const auto all_there = [&] {
        return std::ranges::all_of(traffic.readers, [](const auto& reader) { return reader.load() != 0; });
      };
      while (!all_there()) std::this_thread::sleep_for(milliseconds(1));
      for (std::uint64_t seed = 1; seed <= 18; ++seed)
        node.spawn("polite sender", &polite_sender, &traffic, seed);
      const auto patience = std::chrono::steady_clock::now() + seconds(60);
      const auto settled = [&] {
        return traffic.senders == 0 && traffic.read + node.dead_letters().total() == traffic.attempts;
      };
      while (!settled() && std::chrono::steady_clock::now() < patience)
        std::this_thread::sleep_for(milliseconds(5));
      EXPECT_EQ(traffic.senders.load(), 0) << "who waits, waits no longer than there is reason to";
      EXPECT_EQ(traffic.read.load() + node.dead_letters().total(), traffic.attempts.load());
      if (!readers_end) {
        EXPECT_EQ(node.dead_letters().total(), 0U);
      }
      EXPECT_EQ(node.dead_letters().count(DeadLetter::mailbox_full), 0U);
    }
    EXPECT_EQ(traffic.disorder.load(), 0U);
    EXPECT_GT(traffic.most_waiting.load(), 16U) << "else nobody was told that one is full";
  }
  spdlog::set_level(level);
}

}  // namespace
}  // namespace cobus
