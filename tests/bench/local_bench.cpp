// SPDX-License-Identifier: Apache-2.0
//
// What workers of one shard cost: to make, to keep, to talk to. Messages are protobuf objects that are
// moved; nothing is encoded.
#include <google/protobuf/stubs/common.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "bench.cobus.h"
#include "node/worker/self.hpp"
#include "proto/version.hpp"
#include "tests/bench/bench_node.hpp"

namespace cobus::bench {
namespace {

constexpr std::uint64_t workers_default = 1'000'000;
constexpr std::uint64_t round_trips_default = 4'000'000;
constexpr std::uint64_t messages_default = 10'000'000;
constexpr std::uint64_t batch = 1'000;

std::uint64_t resident_bytes() {
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

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

Task<double> ping(Self self, std::uint64_t count) {
  const Address other = self.spawn("answer", &answer);
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

void rate(Task<double> (*measured)(Self, std::uint64_t), std::uint64_t count, const std::string& conditions) {
  BenchNode bench(1);
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
  } else {
    give_up("local_bench knows: versions spawn bytes_per_worker ping_pong one_way");
  }
  return 0;
}

}  // namespace
}  // namespace cobus::bench

int main(int argc, char** argv) { return cobus::bench::main_of(cobus::bench::parse_arguments(argc, argv)); }
