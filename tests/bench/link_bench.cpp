// SPDX-License-Identifier: Apache-2.0
//
// What it costs to talk to a worker of another node: two nodes in two processes, as daemons have them, on
// the loopback with CURVE on. The messages are protobuf objects at both ends; whoever sends keeps a window,
// since a mailbox takes 10,000, and counts what was received, so nothing is lost unseen.
#include <string>
#include <vector>

#include "tests/bench/link_figures.hpp"
#include "tests/bench/link_nodes.hpp"
#include "tests/bench/open_loop.hpp"

namespace cobus::bench {
namespace {

// Seconds from the first send until the sink has told of the last.
Task<double> one_way(Self self, Address to, Flow flow, std::uint64_t count) {
  co_await greet(self, to.node);
  const auto begin = Steady::now();
  if (co_await stream(self, to, flow, count) != count) give_up("messages were lost");
  co_return seconds_since(begin);
}

// The median time of a call, one at a time.
Task<double> calls(Self self, NodeId server, std::uint64_t count) {
  const PeerStub stub(self, server);
  std::vector<double> times_us;
  times_us.reserve(count);
  for (std::uint64_t i = 0; i < count + warm_up_calls; ++i) {
    const auto begin = Steady::now();
    Result<Parcel> reply = co_await stub.Echo(parcel(call_size));
    if (!reply || reply->data().size() != call_size) give_up("no reply");
    if (i >= warm_up_calls) times_us.push_back(seconds_since(begin) * 1e6);
  }
  co_return median(std::move(times_us));
}

// One call of those at a fixed rate: a worker of its own.
Task<> timed_call(Self self, NodeId server, OpenLoop* loop, std::uint64_t which) {
  Result<Parcel> reply = co_await PeerStub(self, server).Echo(parcel(call_size));
  if (!reply || reply->data().size() != call_size) give_up("no reply");
  loop->answered(which);
}

double calls_at_fixed_rate(BenchNode& bench, NodeId server, std::uint64_t count) {
  bench.run(&greet, server);
  OpenLoop loop(calls_per_second, warm_up_calls, count);
  for (std::uint64_t begun = 0; begun < loop.total();) {
    for (const std::uint64_t due = loop.wait(); begun < due; ++begun)
      bench.node().spawn("call", &timed_call, server, &loop, begun);
  }
  loop.wait_for_answers();
  return loop.percentile_us(0.99);
}

int main_of(const Arguments& arguments) {
  // The links are never in the clear; link_..._curve stands beside the peer's figure with encryption.
  const OneWay* const messages = find_one_way(arguments.name);
  const bool at_fixed_rate = arguments.name == "round_trip_p99";
  if (messages == nullptr && !at_fixed_rate && arguments.name != "round_trip_p50")
    give_up(
        "link_bench knows: link_100 link_100_curve link_1k link_1k_curve link_64k link_64k_curve link_1m "
        "link_64m round_trip_p50 "
        "round_trip_p99");
  const link::ClusterSecret cluster = link::ClusterSecret::make();
  RemoteNode server(cluster, "server", messages != nullptr ? messages->size : call_size);
  const Address to = server.place().sink;
  BenchNode bench("client", link::identity_now(cluster, "client"), "", link_shards);
  server.place().make_known_to(bench);
  bench.node().start();
  const std::string conditions = ", another process, CURVE, a shard each, loopback TCP";
  if (messages != nullptr) {
    const Flow flow = messages->flow();
    const std::uint64_t count = messages->total(arguments.count);
    print_one_way(*messages, count, bench.run(&one_way, to, flow, count),
                  "worker to worker, window of " + std::to_string(flow.window) + conditions);
  } else if (at_fixed_rate) {
    const std::uint64_t count = arguments.count != 0 ? arguments.count : calls_default;
    print_figure("us", calls_at_fixed_rate(bench, to.node, count),
                 "unary call of a service by a new worker, " + std::to_string(calls_per_second) +
                     " a second whatever is answered, counted from when each was due" + conditions);
  } else {
    const std::uint64_t count = arguments.count != 0 ? arguments.count : round_trips_default;
    print_figure("us", bench.run(&calls, to.node, count),
                 "unary call of a service, one at a time" + conditions);
  }
  return 0;
}

}  // namespace
}  // namespace cobus::bench

int main(int argc, char** argv) { return cobus::bench::main_of(cobus::bench::parse_arguments(argc, argv)); }
