// SPDX-License-Identifier: Apache-2.0
//
// One node and many others, in other processes on the loopback with CURVE on: what comes from all of them to
// one worker, and what the rest of them notice of one that has stopped (guarantee M6).
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "node/runtime/descriptor_limit.hpp"
#include "tests/bench/link_figures.hpp"
#include "tests/bench/link_nodes.hpp"
#include "tests/bench/open_loop.hpp"

namespace cobus::bench {
namespace {

constexpr std::uint64_t readers = 8;
constexpr std::uint64_t feeds_per_second = 4'000;  // to all readers in turn, and as many calls
constexpr std::size_t fed_size = 16 * kib;
constexpr std::uint64_t feeds_default = 10 * feeds_per_second;
constexpr std::uint64_t warm_up_feeds = feeds_per_second / 2;

Task<> pour(Self self, Address to, std::uint64_t count) {
  const Parcel model = parcel(fan_in_size);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Status status = co_await self.send(to, model);
    if (!status.ok()) give_up(status.to_string());
  }
}

// The process of the senders: a node each.
void send_all(const Wire& wire, const link::ClusterSecret& cluster, const link::CurveKey& key,
              std::uint64_t each) {
  const SinkPlace place = SinkPlace::hear(wire, key);
  std::vector<std::unique_ptr<BenchNode>> nodes;
  for (std::uint64_t i = 0; i < fan_in_senders; ++i) {
    const std::string name = "sender-" + std::to_string(i);
    nodes.push_back(std::make_unique<BenchNode>(name, link::identity_now(cluster, name), "", link_shards));
    place.make_known_to(*nodes.back());
    nodes.back()->node().start();
    nodes.back()->run(&greet, place.sink.node);
  }
  wire.say("connected");
  if (wire.hear() != "go") return;
  for (auto& bench : nodes) bench->node().spawn("pour", &pour, place.sink, each);
  static_cast<void>(wire.hear());
}

// Messages a second from when the senders are let go until the sink has taken the last.
void fan_in(std::uint64_t each) {
  raise_descriptor_limit();
  const link::ClusterSecret cluster = link::ClusterSecret::make();
  link::Identity identity = link::identity_now(cluster, "sink");
  ServerProcess senders([&](Wire& wire) { send_all(wire, cluster, identity.pair.key, each); });
  BenchNode bench("sink", std::move(identity), any_port, link_shards);
  Taking taking{.size = fan_in_size, .total = each * fan_in_senders};
  const Address to = open_sink(bench, taking);
  SinkPlace::say(senders.wire(), bench, to);
  if (senders.wire().hear() != "connected") give_up("the senders have no connection");
  const auto begin = Steady::now();
  senders.wire().say("go");
  std::future<void> all_here = taking.all_here.get_future();
  for (std::uint64_t before = 0; all_here.wait_for(patience) != std::future_status::ready;) {
    const std::uint64_t taken = taking.taken.load(std::memory_order_relaxed);
    if (taken == before)
      give_up("messages were lost: " + std::to_string(taken) + " of " + std::to_string(taking.total) +
              " have come");
    before = taken;
  }
  print_figure(
      "msg/s", static_cast<double>(taking.total) / seconds_since(begin),
      std::to_string(fan_in_size) + " B a message, " + std::to_string(fan_in_senders) +
          " nodes in one other process to one worker, each with a worker that waits for room, CURVE, "
          "a shard each, loopback TCP");
}

// One of the readers, as the sender sees it.
struct Reader {
  std::unique_ptr<RemoteNode> node;
  bool stopped = false;
  std::uint64_t sent = 0;          // the sender's shard, until `waits` is false
  std::uint64_t held_back = 0;     // not sent, since the one before waited for room still
  std::atomic<bool> waits{false};  // a message is being sent
};

Task<> feed(Self self, Reader* reader) {
  const Status status = co_await self.send(reader->node->place().sink, parcel(fed_size));
  if (!status.ok() && !reader->stopped) give_up(status.to_string());
  if (status.ok()) ++reader->sent;
  reader->waits.store(false, std::memory_order_release);
}

Task<> timed_call(Self self, NodeId reader, OpenLoop* loop, std::uint64_t which) {
  Result<Parcel> reply = co_await PeerStub(self, reader).Echo(parcel(call_size));
  if (!reply) give_up("no reply of a reader that is well: " + reply.error().to_string());
  loop->answered(which);
}

using Readers = std::vector<std::unique_ptr<Reader>>;

// At a steady rate a message to each of them, the last one too, and a call to each but the last. The 99th
// percentile of the calls.
double feed_all(BenchNode& bench, Readers& all, std::uint64_t count) {
  OpenLoop loop(feeds_per_second, 0, count);
  for (std::uint64_t begun = 0; begun < loop.total();) {
    for (const std::uint64_t due = loop.wait(); begun < due; ++begun) {
      Reader& fed = *all[begun % all.size()];
      if (fed.waits.exchange(true, std::memory_order_acquire)) {
        ++fed.held_back;
      } else {
        bench.node().spawn("feed", &feed, &fed);
      }
      const NodeId called = all[begun % (all.size() - 1)]->node->place().sink.node;
      bench.node().spawn("call", &timed_call, called, &loop, begun);
    }
  }
  loop.wait_for_answers();
  return loop.percentile_us(0.99);
}

// That what was sent has come.
void expect_all(Reader& reader) {
  const auto arrived = [&] {
    return !reader.waits.load(std::memory_order_acquire) && reader.node->taken() == reader.sent;
  };
  for (const auto begin = Steady::now(); !arrived();) {
    if (Steady::now() - begin > patience)
      give_up("messages were lost: " + std::to_string(reader.node->taken()) + " of " +
              std::to_string(reader.sent) + " have come");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// How many times as long calls to the others take once one reader has stopped.
void slow_reader(std::uint64_t count) {
  const link::ClusterSecret cluster = link::ClusterSecret::make();
  Readers all;
  for (std::uint64_t i = 0; i < readers; ++i) {
    all.push_back(std::make_unique<Reader>());
    all.back()->node = std::make_unique<RemoteNode>(cluster, "reader-" + std::to_string(i), fed_size);
  }
  BenchNode bench("sender", link::identity_now(cluster, "sender"), "", link_shards);
  for (const auto& reader : all) reader->node->place().make_known_to(bench);
  bench.node().start();
  for (const auto& reader : all) bench.run(&greet, reader->node->place().sink.node);

  feed_all(bench, all, std::min(count, warm_up_feeds));
  const double before_us = feed_all(bench, all, count);
  Reader& last = *all.back();
  expect_all(last);
  last.stopped = true;
  last.node->process().pause();
  const std::uint64_t held_back_before = last.held_back;
  const double after_us = feed_all(bench, all, count);
  for (std::uint64_t i = 0; i + 1 < readers; ++i) expect_all(*all[i]);
  print_figure(
      "x", after_us / before_us,
      "p99 of calls " + std::to_string(std::lround(before_us)) + " us, then, to the other " +
          std::to_string(readers - 1) + " of " + std::to_string(readers) + " readers, " +
          std::to_string(std::lround(after_us)) + " us: one is stopped by SIGSTOP and " +
          std::to_string(last.held_back - held_back_before) + " of " + std::to_string(count / readers) +
          " messages for it are held back; " + std::to_string(feeds_per_second) +
          " messages of 16 KiB and as many calls a second, counted from when each was due, a process "
          "each, CURVE, loopback TCP");
}

int main_of(const Arguments& arguments) {
  if (arguments.name == "fan_in_50") {
    fan_in(fan_in_each(arguments.count));
  } else if (arguments.name == "slow_reader") {
    slow_reader(arguments.count != 0 ? arguments.count : feeds_default);
  } else {
    give_up("many_bench knows: fan_in_50 slow_reader");
  }
  return 0;
}

}  // namespace
}  // namespace cobus::bench

int main(int argc, char** argv) { return cobus::bench::main_of(cobus::bench::parse_arguments(argc, argv)); }
