// SPDX-License-Identifier: Apache-2.0
//
// LoneNode: workers in an ordinary program, without a cluster, a broker or a network:
//   cobus::LoneNode node;
//   const int answer = node.run(&ask, 42);        // cobus::Task<int> ask(cobus::Self self, int number)
// For trying things out, for tests, and for programs that want workers and nothing else. Made, used and ended
// by one ordinary thread.
#pragma once

#include <exception>
#include <future>
#include <optional>
#include <type_traits>
#include <utility>

#include "node/link/no_transport.hpp"
#include "node/worker/node.hpp"

namespace cobus {

class LoneNode {
 public:
  // With so many shards, each a thread; 0: as many as the machine has cores.
  explicit LoneNode(unsigned shards = 0);
  // Ends all workers that still run.
  ~LoneNode();
  LoneNode(const LoneNode&) = delete;
  LoneNode& operator=(const LoneNode&) = delete;

  // Services and kinds are added right after it was made, before its first worker.
  [[nodiscard]] Node& node() noexcept { return node_; }

  // Runs `function(Self, arguments...)`, a coroutine function that gives a Task<T>, as a worker, and gives
  // what it gave once it has ended. Rethrows what it threw.
  template <class Function, class... Arguments>
  auto run(Function function, Arguments... arguments) {
    using Value = decltype(std::declval<std::invoke_result_t<Function, Self, Arguments...>>()
                               .operator co_await()
                               .await_resume());
    std::promise<Value> result;
    node_.spawn("main", &fulfil<Value, Function, Arguments...>, &result, function, std::move(arguments)...);
    return result.get_future().get();
  }

 private:
  template <class Value, class Function, class... Arguments>
  static Task<> fulfil(Self self, std::promise<Value>* result, Function function, Arguments... arguments) {
    try {
      if constexpr (std::is_void_v<Value>) {
        co_await function(self, std::move(arguments)...);
        result->set_value();
      } else {
        result->set_value(co_await function(self, std::move(arguments)...));
      }
    } catch (...) {
      result->set_exception(std::current_exception());
    }
  }

  link::NoTransport transport_;
  Node node_;
};

}  // namespace cobus
