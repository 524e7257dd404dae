// SPDX-License-Identifier: Apache-2.0
//
// with_timeout: a task with a bound on its time.
//   Result<Answer> answer = co_await with_timeout(std::chrono::seconds(2), ask(node));
// The task starts when it is awaited and runs on the strand of who awaits it. It is a task itself. What waits
// without a task (mutex.lock(), channel.receive(), ...) takes its timeout as a parameter. One worker only.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "node/runtime/branches.hpp"
#include "node/runtime/flat_result.hpp"
#include "node/runtime/task.hpp"
#include "proto/status.hpp"

namespace cobus {

namespace detail {

template <class T>
struct Timed {
  using Value = FlatResult<T>;
};
template <>
struct Timed<Status> {
  using Value = Status;
};

}  // namespace detail

// What `task` gives (a Result<T> stays Result<T>, a Status stays Status; anything else becomes a Result),
// or DEADLINE_EXCEEDED when it takes longer than `longest`: the task is destroyed wherever it waits, before
// this resumes. Negative: no bound. Rethrows what the task throws. When the worker is asked to stop the task
// hears it in what it awaits, usually gives CANCELLED and may tidy up, still within the bound.
template <class T>
[[nodiscard]] Task<typename detail::Timed<T>::Value> with_timeout(Duration longest, Task<T> task) {
  std::optional<detail::Stored<T>> value;
  detail::Branches branches;
  branches.add(std::move(task), [&value](detail::Stored<T> given) {
    value.emplace(std::move(given));
    return true;
  });
  const bool in_time = co_await branches.run(longest);
  if (branches.thrown) std::rethrow_exception(branches.thrown);
  if (!in_time) {
    Status late(Code::deadline_exceeded,
                "took longer than " +
                    std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(longest).count()) +
                    " ms");
    if constexpr (std::is_same_v<T, Status>) {
      co_return late;
    } else {
      co_return fail(std::move(late));
    }
  }
  if constexpr (std::is_void_v<T>) {
    co_return Result<void>();
  } else {
    co_return std::move(*value);
  }
}

}  // namespace cobus
