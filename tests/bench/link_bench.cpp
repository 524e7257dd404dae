// SPDX-License-Identifier: Apache-2.0
//
// What it costs to talk to a worker of another node: two nodes in two processes, as daemons have them, on
// the loopback with CURVE on. The messages are protobuf objects at both ends; whoever sends keeps a window,
// since a mailbox takes 10,000, and counts what was received, so nothing is lost unseen.
#include <string>
#include <vector>

#include "bench.cobus.h"
#include "node/worker/self.hpp"
#include "tests/bench/bench_node.hpp"
#include "tests/bench/server_process.hpp"

namespace cobus::bench {
namespace {

constexpr std::uint64_t messages_default = 3'000'000;
constexpr std::uint64_t round_trips_default = 20'000;
constexpr std::uint64_t warm_up_calls = 1'000;
constexpr std::uint64_t window = 8'000;
constexpr std::uint64_t receipt_every = 1'000;
constexpr std::size_t size = 100;
constexpr unsigned shards = 1;  // each process has one thread for its work, as the peer has
constexpr Duration patience = std::chrono::seconds(10);

Parcel parcel() {
  Parcel made;
  made.set_data(std::string(size, 'x'));
  return made;
}

class Answerer final : public PeerService {
 public:
  Task<Result<Parcel>> Echo(Call /*call*/, Parcel request) override { co_return request; }
};

// Takes parcels for ever and tells the sender how many.
Task<> sink(Self self, Address* address, std::promise<void>* ready) {
  *address = self.address();
  ready->set_value();
  for (std::uint64_t count = 1;; ++count) {
    auto received = co_await self.receive<Parcel>();
    if (!received) co_return;
    if ((*received)->data().size() != size) give_up("a parcel of another size");
    if (count % receipt_every != 0) continue;
    Receipt receipt;
    receipt.set_count(count);
    static_cast<void>(co_await self.send(received->from(), std::move(receipt)));
  }
}

// The server: tells where it listens and where its sink is.
void serve(Wire& wire, link::Identity identity) {
  BenchNode bench("server", std::move(identity), "tcp://127.0.0.1:0", shards);
  bench.node().add_service(std::make_unique<Answerer>());
  bench.node().start();
  Address address;
  std::promise<void> ready;
  bench.node().spawn("sink", &sink, &address, &ready);
  ready.get_future().wait();
  wire.say(bench.listening());
  wire.say(to_string(address));
  static_cast<void>(wire.hear());
}

Task<double> calls(Self self, NodeId server, std::uint64_t count) {
  const PeerStub stub(self, server);
  std::vector<double> times_us;
  times_us.reserve(count);
  for (std::uint64_t i = 0; i < count + warm_up_calls; ++i) {
    const auto begin = Steady::now();
    Result<Parcel> reply = co_await stub.Echo(parcel());
    if (!reply || reply->data().size() != size) give_up("no reply");
    if (i >= warm_up_calls) times_us.push_back(seconds_since(begin) * 1e6);
  }
  co_return median(std::move(times_us));
}

// Messages a second from the first send until the sink has told of the last.
Task<double> stream(Self self, Address to, std::uint64_t count) {
  const PeerStub stub(self, to.node);
  const Result<Parcel> connected = co_await stub.Echo(parcel());
  if (!connected) give_up("no connection: " + connected.error().to_string());
  const Parcel model = parcel();
  std::uint64_t received = 0;
  const auto begin = Steady::now();
  for (std::uint64_t sent = 0; received < count;) {
    for (; sent < count && sent - received < window; ++sent) {
      const Status status = co_await self.send(to, model);
      if (!status.ok()) give_up(status.to_string());
    }
    auto receipt = co_await self.receive<Receipt>(patience);
    if (!receipt) give_up("messages were lost: " + receipt.error().to_string());
    received = (*receipt)->count();
  }
  co_return static_cast<double>(count) / seconds_since(begin);
}

int main_of(const Arguments& arguments) {
  // The links are never in the clear; the second name stands beside the peer's figure with encryption.
  const bool one_way = arguments.name == "link_100" || arguments.name == "link_100_curve";
  if (!one_way && arguments.name != "round_trip_p50")
    give_up("link_bench knows: link_100 link_100_curve round_trip_p50");
  const link::ClusterSecret cluster = link::ClusterSecret::make();
  link::Identity server_identity = link::identity_now(cluster, "server");
  const link::CurveKey server_key = server_identity.pair.key;
  ServerProcess server([&](Wire& wire) { serve(wire, std::move(server_identity)); });
  const std::string endpoint = server.wire().hear();
  const Result<Address> to = parse_address(server.wire().hear());
  if (!to) give_up(to.error().to_string());

  BenchNode bench("client", link::identity_now(cluster, "client"), "", shards);
  bench.node().links().learn(to->node, {endpoint}, server_key);
  bench.node().start();
  const std::string conditions = ", another process, CURVE, a shard each, loopback TCP";
  if (one_way) {
    std::uint64_t count = arguments.count != 0 ? arguments.count : messages_default;
    count = (count + receipt_every - 1) / receipt_every * receipt_every;
    print_figure("msg/s", bench.run(&stream, *to, count),
                 "worker to worker, window of " + std::to_string(window) + conditions);
  } else {
    const std::uint64_t count = arguments.count != 0 ? arguments.count : round_trips_default;
    print_figure("us", bench.run(&calls, to->node, count),
                 "unary call of a service, one at a time" + conditions);
  }
  return 0;
}

}  // namespace
}  // namespace cobus::bench

int main(int argc, char** argv) { return cobus::bench::main_of(cobus::bench::parse_arguments(argc, argv)); }
