// SPDX-License-Identifier: Apache-2.0
//
// What our own programs over links stand on: parcels, the service that returns them, the worker that takes
// them, and RemoteNode, a node of another process that has both.
#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "bench.cobus.h"
#include "node/worker/self.hpp"
#include "tests/bench/bench_node.hpp"
#include "tests/bench/server_process.hpp"

namespace cobus::bench {

constexpr unsigned link_shards = 1;  // each process has one thread for its work, as the peers have
constexpr Duration patience = std::chrono::seconds(30);
constexpr const char* any_port = "tcp://127.0.0.1:0";

inline Parcel parcel(std::size_t size) {
  Parcel made;
  made.set_data(std::string(size, 'x'));
  return made;
}

class Answerer final : public PeerService {
 public:
  Task<Result<Parcel>> Echo(Call /*call*/, Parcel request) override { co_return request; }
};

// Makes sure that there is a session with `node`, which has an Answerer.
inline Task<bool> greet(Self self, NodeId node) {
  const Result<Parcel> answered = co_await PeerStub(self, node).Echo(Parcel());
  if (!answered) give_up("no connection: " + answered.error().to_string());
  co_return true;
}

// What a sink expects and how many have come.
struct Taking {
  std::size_t size = 0;
  std::uint64_t total = 0;  // 0: for ever
  std::atomic<std::uint64_t> taken{0};
  std::promise<Address> ready{};
  std::promise<void> all_here{};
};

// Takes parcels, and tells senders who ask how many have come.
inline Task<> sink(Self self, Taking* taking) {
  taking->ready.set_value(self.address());
  for (std::uint64_t count = 1;; ++count) {
    auto received = co_await self.receive<Parcel>();
    if (!received) co_return;
    if ((*received)->data().size() != taking->size) give_up("a parcel of another size");
    taking->taken.store(count, std::memory_order_relaxed);
    if (count == taking->total) taking->all_here.set_value();
    if (!(*received)->asks_for_receipt()) continue;
    Receipt receipt;
    receipt.set_count(count);
    static_cast<void>(co_await self.send(received->from(), std::move(receipt)));
  }
}

// Sends `count` parcels, whole receipts. How many the sink had taken, of all senders, when it came to the
// last.
inline Task<std::uint64_t> stream(Self self, Address to, Flow flow, std::uint64_t count) {
  Parcel model = parcel(flow.size);
  std::uint64_t taken = 0;
  for (std::uint64_t sent = 0, received = 0; received < count; received += flow.receipt_every) {
    while (sent < count && sent - received < flow.window) {
      model.set_asks_for_receipt(++sent % flow.receipt_every == 0);
      const Status status = co_await self.send(to, std::as_const(model));
      if (!status.ok()) give_up(status.to_string());
    }
    auto receipt = co_await self.receive<Receipt>(patience);
    if (!receipt) give_up("messages were lost: " + receipt.error().to_string());
    taken = (*receipt)->count();
  }
  co_return taken;
}

// Starts the node, with an Answerer and a sink. The sink's address.
inline Address open_sink(BenchNode& bench, Taking& taking) {
  bench.node().add_service(std::make_unique<Answerer>());
  bench.node().start();
  bench.node().spawn("sink", &sink, &taking);
  return taking.ready.get_future().get();
}

// Where the sink of a node in another process is, and how to reach that node.
struct SinkPlace {
  link::CurveKey key;
  std::string endpoint;
  Address sink;

  static void say(const Wire& wire, const BenchNode& bench, const Address& sink) {
    wire.say(bench.listening());
    wire.say(to_string(sink));
  }
  // The key is not said: the identity was made before the processes parted.
  static SinkPlace hear(const Wire& wire, const link::CurveKey& key) {
    std::string endpoint = wire.hear();
    const Result<Address> sink = parse_address(wire.hear());
    if (!sink) give_up(sink.error().to_string());
    return {key, std::move(endpoint), *sink};
  }
  // Before it is spoken to.
  void make_known_to(BenchNode& bench) const { bench.node().links().learn(sink.node, {endpoint}, key); }
};

class RemoteNode {
 public:
  // Before any thread is started.
  RemoteNode(const link::ClusterSecret& cluster, const std::string& name, std::size_t size)
      : RemoteNode(link::identity_now(cluster, name), name, size) {}
  [[nodiscard]] const SinkPlace& place() const noexcept { return place_; }
  // Parcels that its sink has taken.
  [[nodiscard]] std::uint64_t taken() {
    process_.wire().say("how many?");
    return std::stoull(process_.wire().hear());
  }
  [[nodiscard]] ServerProcess& process() noexcept { return process_; }

 private:
  RemoteNode(link::Identity identity, const std::string& name, std::size_t size)
      : process_([&](Wire& wire) { serve(wire, name, std::move(identity), size); }),
        place_(SinkPlace::hear(process_.wire(), identity.pair.key)) {}
  static void serve(Wire& wire, const std::string& name, link::Identity identity, std::size_t size) {
    Taking taking{.size = size};
    BenchNode bench(name, std::move(identity), any_port, link_shards);
    SinkPlace::say(wire, bench, open_sink(bench, taking));
    while (!wire.hear().empty()) wire.say(std::to_string(taking.taken.load(std::memory_order_relaxed)));
  }

  ServerProcess process_;
  SinkPlace place_;
};

}  // namespace cobus::bench
