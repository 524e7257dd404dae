// SPDX-License-Identifier: Apache-2.0
//
// LocalNode: workers in an ordinary program, without a cluster, a broker or a network:
//   cobus::LocalNode node;
//   const int answer = node.run(&ask, 42);        // cobus::Task<int> ask(cobus::Self self, int number)
// For trying things out, for tests, and for programs that want workers and nothing else. Made, used and ended
// by one ordinary thread. Tests that wait for time to pass have SimulatedNode instead.
#pragma once

#include <future>
#include <utility>

#include "node/link/no_transport.hpp"
#include "node/worker/fulfil.hpp"
#include "node/worker/node.hpp"

namespace cobus {

class LocalNode {
 public:
  // With `shards` threads that run workers; 0: as many as the machine has cores.
  explicit LocalNode(unsigned shards = 0);
  // Ends all workers that still run.
  ~LocalNode();
  LocalNode(const LocalNode&) = delete;
  LocalNode& operator=(const LocalNode&) = delete;

  // Services and kinds are added right after it was made, before its first worker.
  [[nodiscard]] Node& node() noexcept { return node_; }

  // Runs `function(Self, arguments...)`, a coroutine function that gives a Task<T>, as a worker, and gives
  // its T once it has ended. Rethrows what it threw; throws std::future_error when the worker was ended
  // before that, as by an exit.
  template <class Function, class... Arguments>
    requires WorkerFunction<Function, Arguments...>
  auto run(Function function, Arguments... arguments) {
    using Value = detail::WorkerValue<Function, Arguments...>;
    std::promise<Value> promise;
    std::future<Value> result = promise.get_future();
    node_.spawn("main", &detail::fulfil<Value, Function, Arguments...>, std::move(promise), function,
                std::move(arguments)...);
    return result.get();
  }

 private:
  link::NoTransport transport_;
  Node node_;
};

}  // namespace cobus
