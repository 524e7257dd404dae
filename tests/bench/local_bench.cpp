// SPDX-License-Identifier: Apache-2.0
//
// What the workers of one node cost: to make, to keep, to talk to, to leave alone. Messages are protobuf
// objects that are moved; nothing is encoded.
#include <google/protobuf/stubs/common.h>

#include <vector>

#include "bench.cobus.h"
#include "node/runtime/generator.hpp"
#include "node/runtime/timer_wheel.hpp"
#include "node/worker/self.hpp"
#include "proto/version.hpp"
#include "tests/bench/bench_node.hpp"

namespace cobus::bench {
namespace {

constexpr std::uint64_t workers_default = 1'000'000;
constexpr std::uint64_t round_trips_default = 4'000'000;
constexpr std::uint64_t round_trips_across_default = 100'000;
constexpr std::uint64_t messages_default = 10'000'000;
constexpr std::uint64_t messages_across_default = 5'000'000;
constexpr std::uint64_t hops_default = 4'000'000;
constexpr std::uint64_t timers_live = 1'000'000;
constexpr std::uint64_t steps_default = 100'000'000;
constexpr std::uint64_t starts_default = 10'000'000;
constexpr std::uint64_t idle_ms_default = 10'000;
constexpr std::uint64_t ring_size = 1'000;
constexpr std::uint64_t batch = 1'000;
constexpr std::uint64_t window = 8 * batch;  // a mailbox takes 10,000
constexpr unsigned shards_across = 2;
constexpr Duration patience = std::chrono::seconds(10);

Task<> idle(Self self) { static_cast<void>(co_await self.receive<Ball>()); }

struct Crowd {
  double seconds = 0;
  std::uint64_t bytes = 0;
};

// Ends when every worker waits in its receive().
Task<Crowd> spawn_crowd(Self self, std::uint64_t count) {
  const std::uint64_t before = resident_bytes();
  const auto begin = Steady::now();
  for (std::uint64_t made = 0; made < count; ++made) {
    self.spawn("idle", &idle);
    if (made % batch == batch - 1) co_await yield();
  }
  co_await yield();
  Crowd crowd;
  crowd.seconds = seconds_since(begin);
  crowd.bytes = resident_bytes() - before;
  co_return crowd;
}

Task<> answer(Self self) {
  for (;;) {
    auto ball = co_await self.receive<Ball>();
    if (!ball) co_return;
    const Status sent = co_await self.send(ball->from(), std::move(**ball));
    if (!sent.ok()) give_up(sent.to_string());
  }
}

Task<double> volley(Self self, Address other, std::uint64_t count) {
  Ball ball;
  const auto begin = Steady::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    ball.set_number(i);
    const Status sent = co_await self.send(other, std::move(ball));
    auto returned = co_await self.receive<Ball>();
    if (!sent.ok() || !returned || (*returned)->number() != i) give_up("the ball was lost");
    ball = std::move(**returned);
  }
  co_return static_cast<double>(count) / seconds_since(begin);
}

Task<double> ping(Self self, std::uint64_t count) {
  co_return co_await volley(self, self.spawn("answer", &answer), count);
}

// Says hello, then answers.
Task<> greet_and_answer(Self self, Address teller) {
  if ((co_await self.send(teller, Receipt())).ok()) co_await answer(self);
}

Task<> listen(Self self, std::uint64_t count, Address teller) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto ball = co_await self.receive<Ball>();
    if (!ball) co_return;
    sum += (*ball)->number();
  }
  Receipt receipt;
  receipt.set_count(sum);
  static_cast<void>(co_await self.send(teller, receipt));
}

Task<double> tell(Self self, std::uint64_t count) {
  const Address listener = self.spawn("listen", &listen, count, self.address());
  const auto begin = Steady::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    Ball ball;
    ball.set_number(1);
    const Status sent = co_await self.send(listener, std::move(ball));
    if (!sent.ok()) give_up(sent.to_string());
    if (i % batch == batch - 1) co_await yield();  // a mailbox takes 10,000
  }
  auto receipt = co_await self.receive<Receipt>();
  if (!receipt || (*receipt)->count() != count) give_up("messages were lost");
  co_return static_cast<double>(count) / seconds_since(begin);
}

// One of a ring.
Task<> pass(Self self, Address next) {
  for (;;) {
    auto ball = co_await self.receive<Ball>();
    if (!ball) co_return;
    (*ball)->set_number((*ball)->number() + 1);
    const Status sent = co_await self.send(next, std::move(**ball));
    if (!sent.ok()) give_up(sent.to_string());
  }
}

// Hops a second of one ball around a ring, this worker in it.
Task<double> ring(Self self, std::uint64_t count) {
  Address next = self.address();
  for (std::uint64_t made = 1; made < ring_size; ++made) next = self.spawn("pass", &pass, next);
  co_await yield();
  std::uint64_t hops = 0;
  const auto begin = Steady::now();
  while (hops < count) {
    Ball ball;
    ball.set_number(hops + 1);
    const Status sent = co_await self.send(next, std::move(ball));
    auto returned = co_await self.receive<Ball>();
    if (!sent.ok() || !returned || (*returned)->number() != hops + ring_size) give_up("the ball was lost");
    hops = (*returned)->number();
  }
  co_return static_cast<double>(hops) / seconds_since(begin);
}

// Says hello, takes balls for ever and gives a receipt for each batch.
Task<> listen_afar(Self self, Address teller) {
  std::uint64_t sum = 0;
  for (std::uint64_t heard = 0;; ++heard) {
    if (heard % batch == 0) {
      Receipt receipt;
      receipt.set_count(sum);
      if (!(co_await self.send(teller, std::move(receipt))).ok()) co_return;
    }
    auto ball = co_await self.receive<Ball>();
    if (!ball) co_return;
    sum += (*ball)->number();
  }
}

// Messages a second to a worker of the other shard, from the first send until it has taken the last.
Task<double> tell_across(Self self, std::uint64_t count) {
  const unsigned other = 1 - self.worker().home().shard().index();
  self.node().run_on(other, [teller = self.address()](Home& home) {
    Worker& made = home.make_worker("listen");
    home.start(made, listen_afar(Self(made), teller));
  });
  auto hello = co_await self.receive<Receipt>(patience);
  if (!hello) give_up("the other shard is silent");
  const Address listener = hello->from();
  const auto begin = Steady::now();
  for (std::uint64_t told = 0, heard = 0; heard < count;) {
    for (; told < count && told - heard < window; ++told) {
      Ball ball;
      ball.set_number(1);
      const Status sent = co_await self.send(listener, std::move(ball));
      if (!sent.ok()) give_up(sent.to_string());
    }
    auto receipt = co_await self.receive<Receipt>(patience);
    if (!receipt) give_up("messages were lost: " + receipt.error().to_string());
    heard = (*receipt)->count();
  }
  co_return static_cast<double>(count) / seconds_since(begin);
}

// Round trips a second to a worker of the other shard: each waits for the other, one at a time.
Task<double> ping_across(Self self, std::uint64_t count) {
  const unsigned other = 1 - self.worker().home().shard().index();
  self.node().run_on(other, [teller = self.address()](Home& home) {
    Worker& made = home.make_worker("answer");
    home.start(made, greet_and_answer(Self(made), teller));
  });
  auto hello = co_await self.receive<Receipt>(patience);
  if (!hello) give_up("the other shard is silent");
  co_return co_await volley(self, hello->from(), count);
}

struct SilentTimer : Timer {
  SilentTimer() noexcept : Timer(&fire) {}
  static void fire(Timer& /*timer*/) { give_up("a timer fired"); }
};

// Nanoseconds to start one more timer and cancel it, beside those that are live.
double start_and_cancel(std::uint64_t live, std::uint64_t count) {
  TimerWheel wheel((TimePoint()));
  const auto when = [](std::uint64_t i) {  // between a minute and an hour, in no order
    return TimePoint() + std::chrono::milliseconds(60'000 + i * 7'919 % 3'540'000);
  };
  std::vector<SilentTimer> others(live);
  for (std::uint64_t i = 0; i < live; ++i) wheel.start(others[i], when(i));
  SilentTimer timer;
  const auto begin = Steady::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    wheel.start(timer, when(i));
    timer.cancel();
  }
  const double seconds = seconds_since(begin);
  if (wheel.size() != live) give_up("timers were lost");
  return seconds * 1e9 / static_cast<double>(count);
}

// Not inlined: the compiler would see through it and compute the sum at once.
[[gnu::noinline]] Generator<std::uint64_t> numbers() {
  for (std::uint64_t number = 0;; ++number) co_yield number;
}

// Nanoseconds from one item of a generator to the next.
double generator_step(std::uint64_t count) {
  std::uint64_t sum = 0;
  const auto begin = Steady::now();
  for (const std::uint64_t number : numbers()) {
    sum += number;
    if (number == count) break;
  }
  const double seconds = seconds_since(begin);
  if (sum != count * (count + 1) / 2) give_up("items were lost");
  return seconds * 1e9 / static_cast<double>(count);
}

// Percent of one core.
double idle_cpu(std::chrono::milliseconds time) {
  BenchNode bench("bench", link::identity_now(link::ClusterSecret::make(), "bench"), "tcp://127.0.0.1:0",
                  shards_across);
  bench.node().start();
  return cpu_percent_over(time);
}

void crowd(std::uint64_t count, bool memory) {
  BenchNode bench(1);
  bench.node().start();
  const Crowd crowd = bench.run(&spawn_crowd, count);
  const std::string size = std::to_string(count) + " workers, each in receive(), one shard";
  if (memory) {
    print_figure("B", static_cast<double>(crowd.bytes) / static_cast<double>(count), size + ", from RSS");
  } else {
    print_figure("1/s", static_cast<double>(count) / crowd.seconds, size);
  }
}

void rate(Task<double> (*measured)(Self, std::uint64_t), std::uint64_t count, const std::string& conditions,
          unsigned shards = 1) {
  BenchNode bench(shards);
  bench.node().start();
  print_figure("1/s", bench.run(measured, count), conditions);
}

int main_of(const Arguments& arguments) {
  const auto count_or = [&](std::uint64_t otherwise) {
    return arguments.count != 0 ? arguments.count : otherwise;
  };
  if (arguments.name == "versions") {
    print_versions({{"cobus", std::string(version())},
                    {"compiler", "clang " __clang_version__},
                    {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)}});
  } else if (arguments.name == "spawn" || arguments.name == "bytes_per_worker") {
    crowd(count_or(workers_default), arguments.name != "spawn");
  } else if (arguments.name == "ping_pong") {
    rate(&ping, count_or(round_trips_default),
         "round trips, two workers of one shard, one integer field, moved");
  } else if (arguments.name == "one_way") {
    rate(&tell, count_or(messages_default),
         "two workers of one shard, one integer field, moved, " + std::to_string(batch) + " at a time");
  } else if (arguments.name == "ring") {
    rate(&ring, count_or(hops_default),
         "one ball among " + std::to_string(ring_size) + " workers of one shard, one integer field, moved");
  } else if (arguments.name == "cross_shard") {
    const std::uint64_t count = (count_or(messages_across_default) + batch - 1) / batch * batch;
    rate(&tell_across, count,
         "two workers on a shard each, one integer field, moved, window of " + std::to_string(window),
         shards_across);
  } else if (arguments.name == "cross_ping_pong") {
    rate(&ping_across, count_or(round_trips_across_default),
         "round trips, two workers on a shard each, one integer field, moved", shards_across);
  } else if (arguments.name == "timer") {
    print_figure("ns", start_and_cancel(timers_live, count_or(starts_default)),
                 "one more started and cancelled beside " + std::to_string(timers_live) +
                     ", the wheel of a shard by itself");
  } else if (arguments.name == "generator") {
    print_figure("ns", generator_step(count_or(steps_default)), "one integer yielded and taken");
  } else if (arguments.name == "idle_cpu") {
    const std::chrono::milliseconds time(count_or(idle_ms_default));
    print_figure("%", idle_cpu(time),
                 "of a core over " + std::to_string(time.count()) + " ms, node of two shards that listens");
  } else {
    give_up(
        "local_bench knows: versions spawn bytes_per_worker ping_pong one_way ring cross_shard "
        "cross_ping_pong "
        "timer generator idle_cpu");
  }
  return 0;
}

}  // namespace
}  // namespace cobus::bench

int main(int argc, char** argv) { return cobus::bench::main_of(cobus::bench::parse_arguments(argc, argv)); }
