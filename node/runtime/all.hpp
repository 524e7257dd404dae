// SPDX-License-Identifier: Apache-2.0
//
// all: runs tasks side by side and gives what all of them gave.
//   auto [size, names] = co_await all(count(table), list(table));
// They start in their order when it is awaited and run on the strand of who awaits it. It is a task
// itself, so it can be put into another all, an any or a with_timeout. One worker only.
#pragma once

#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "node/runtime/branches.hpp"
#include "node/runtime/task.hpp"

namespace cobus {

namespace detail {

// Stores what a task gives and goes on.
template <class T>
struct Keep {
  std::optional<T>* into;
  bool operator()(T value) const {
    into->emplace(std::move(value));
    return false;
  }
};

}  // namespace detail

// What each task gave, in their order; std::monostate for a Task<>. A failed Result is a value like any
// other: the rest goes on. When a task throws, the others are destroyed wherever they wait, then it is
// rethrown. When the worker is asked to stop the tasks hear it, each in what it awaits, and all ends when
// they have ended. Destroyed early it destroys them. Resumes where the last task ends.
template <class... T>
[[nodiscard]] Task<std::tuple<detail::Stored<T>...>> all(Task<T>... tasks) {
  std::tuple<std::optional<detail::Stored<T>>...> values;
  detail::Branches branches;
  std::apply(
      [&](auto&... value) { (branches.add(std::move(tasks), detail::Keep<detail::Stored<T>>{&value}), ...); },
      values);
  static_cast<void>(co_await branches.run());
  if (branches.thrown) std::rethrow_exception(branches.thrown);
  co_return std::apply([](auto&... value) { return std::tuple<detail::Stored<T>...>(std::move(*value)...); },
                       values);
}

// The same for any number of tasks of one type. Of none it gives an empty vector.
template <class T>
[[nodiscard]] Task<std::vector<T>> all(std::vector<Task<T>> tasks) {
  std::vector<std::optional<T>> values(tasks.size());
  detail::Branches branches;
  for (std::size_t i = 0; i < tasks.size(); ++i)
    branches.add(std::move(tasks[i]), detail::Keep<T>{&values[i]});
  static_cast<void>(co_await branches.run());
  if (branches.thrown) std::rethrow_exception(branches.thrown);
  std::vector<T> result;
  result.reserve(values.size());
  for (std::optional<T>& value : values) result.push_back(std::move(*value));
  co_return result;
}
[[nodiscard]] inline Task<> all(std::vector<Task<>> tasks) {
  detail::Branches branches;
  for (Task<>& task : tasks) branches.add(std::move(task), [](std::monostate /*nothing*/) { return false; });
  static_cast<void>(co_await branches.run());
  if (branches.thrown) std::rethrow_exception(branches.thrown);
}

}  // namespace cobus
