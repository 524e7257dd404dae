// SPDX-License-Identifier: Apache-2.0
//
// fulfil: a worker that runs a coroutine function and puts what it gives into a promise, so that code
// outside of workers can have it. What LocalNode::run and SimulatedNode::run are made of; not for workers.
#pragma once

#include <exception>
#include <future>
#include <type_traits>
#include <utility>

#include "node/runtime/task.hpp"
#include "node/worker/self.hpp"

namespace cobus::detail {

// What `Function`, called with a Self and such arguments, gives when it has ended.
template <class Function, class... Arguments>
using WorkerValue = decltype(std::declval<std::invoke_result_t<Function&, Self, Arguments...>>()
                                 .operator co_await()
                                 .await_resume());

// The promise belongs to the worker: when the worker is ended before it gave a value, the future throws
// std::future_error (broken promise).
template <class Value, class Function, class... Arguments>
Task<> fulfil(Self self, std::promise<Value> result, Function function, Arguments... arguments) {
  try {
    if constexpr (std::is_void_v<Value>) {
      co_await function(self, std::move(arguments)...);
      result.set_value();
    } else {
      result.set_value(co_await function(self, std::move(arguments)...));
    }
  } catch (...) {
    result.set_exception(std::current_exception());
  }
}

}  // namespace cobus::detail
