// SPDX-License-Identifier: Apache-2.0
//
// SimulatedNode: a node for unit tests of handlers and workers, on simulated time and in one thread:
//   cobus::SimulatedNode node;                    // offers what COBUS_SERVICE and COBUS_WORKER registered
//   auto reply = node.run(&greet, request);       // cobus::Task<Result<Reply>> greet(cobus::Self, Request)
// When every worker waits, the clock jumps to the next timer: a handler that sleeps for an hour is tested in
// a microsecond, and the same seed gives the same run. Functions given to offload() run at once. Made, used
// and ended by one ordinary thread.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "node/link/no_transport.hpp"
#include "node/runtime/clock.hpp"
#include "node/runtime/random.hpp"
#include "node/worker/fulfil.hpp"
#include "node/worker/node.hpp"

namespace cobus {

class SimulatedNode {
 public:
  // `seed` decides every random choice, and the order in which workers run that could run at the same time.
  explicit SimulatedNode(std::uint64_t seed = 1);
  // Ends all workers that still run.
  ~SimulatedNode() = default;
  SimulatedNode(const SimulatedNode&) = delete;
  SimulatedNode& operator=(const SimulatedNode&) = delete;

  // Another service, in place of one with the same name. Before the first run().
  void add_service(std::unique_ptr<Service> service) { node_.add_service(std::move(service)); }
  [[nodiscard]] Node& node() noexcept { return node_; }
  [[nodiscard]] const ManualClock& clock() const noexcept { return clock_; }

  // Runs `function(Self, arguments...)`, a coroutine function that gives a Task<T>, as a worker, and all
  // others as far as it needs them, and gives its T. Rethrows what it threw. Throws std::future_error when
  // the worker was ended before that, and std::logic_error when it waits for what never comes: nothing is
  // left to do and no timer runs, or `longest` of simulated time have passed.
  template <class Function, class... Arguments>
    requires WorkerFunction<Function, Arguments...>
  auto run(Function function, Arguments... arguments) {
    using Value = detail::WorkerValue<Function, Arguments...>;
    std::promise<Value> promise;
    std::future<Value> result = promise.get_future();
    node_.spawn("main", &detail::fulfil<Value, Function, Arguments...>, std::move(promise), function,
                std::move(arguments)...);
    run_until([&result] { return result.wait_for(Duration(0)) == std::future_status::ready; });
    return result.get();
  }
  // Lets so much time pass for whatever runs: timers fire in their order.
  void advance(Duration time);

  static constexpr Duration longest = std::chrono::hours(24 * 366);

 private:
  void run_until(const std::function<bool()>& over);
  void settle();

  ManualClock clock_;
  SeededRandom random_;
  link::NoTransport transport_;
  Node node_;
};

}  // namespace cobus
