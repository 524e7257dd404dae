// SPDX-License-Identifier: Apache-2.0
//
// race: runs tasks side by side until the first has ended, in whatever way; the others are destroyed
// wherever they wait, before whoever awaits it goes on.
//   auto first = co_await race(ask(near), ask(far));
// They start in their order when it is awaited, until one has ended, on the strand of who awaits it. It is a
// task itself. See any.hpp for the first that ended well. One worker only.
#pragma once

#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "node/runtime/branches.hpp"
#include "node/runtime/task.hpp"

namespace cobus {

// The task that came first, counted from 0, and what it gave: std::monostate for a Task<>.
template <class T>
struct Winner {
  std::size_t index = 0;
  T value;
};

namespace detail {

// What the first of several tasks gave: a Winner when all give the same type, else a variant.
template <class... T>
struct FirstOf {
  using Type = std::variant<T...>;
};
template <class T, class... Others>
  requires(std::is_same_v<T, Others> && ...)
struct FirstOf<T, Others...> {
  using Type = Winner<T>;
};

// Stores what task `index` gave and has enough. `Index` is the same, for a variant.
template <class First, std::size_t Index = 0>
struct Win {
  std::optional<First>* first;
  std::size_t index = Index;
  template <class T>
  bool operator()(T value) const {
    if constexpr (std::is_same_v<First, Winner<T>>) {
      first->emplace(Winner<T>{index, std::move(value)});
    } else {
      first->emplace(std::in_place_index<Index>, std::move(value));
    }
    return true;
  }
};

inline void refuse_nobody(std::size_t tasks) {
  if (tasks == 0) throw std::invalid_argument("of no tasks none can come first");
}

}  // namespace detail

// A Winner when all tasks give the same type, else a std::variant whose index() is the task's. Rethrows when
// the first one ended by throwing. When the worker is asked to stop the tasks hear it, each in what it
// awaits, and the first to end because of it wins. Destroyed early it destroys them.
template <class... T>
  requires(sizeof...(T) > 0)
[[nodiscard]] Task<typename detail::FirstOf<detail::Stored<T>...>::Type> race(Task<T>... tasks) {
  using First = typename detail::FirstOf<detail::Stored<T>...>::Type;
  std::optional<First> first;
  detail::Branches branches;
  [&]<std::size_t... Index>(std::index_sequence<Index...>) {
    (branches.add(std::move(tasks), detail::Win<First, Index>{&first}), ...);
  }(std::index_sequence_for<T...>());
  static_cast<void>(co_await branches.run());
  if (branches.thrown) std::rethrow_exception(branches.thrown);
  co_return std::move(*first);
}

// The same for any number of tasks of one type. Throws std::invalid_argument when there is none.
template <class T>
[[nodiscard]] Task<Winner<detail::Stored<T>>> race(std::vector<Task<T>> tasks) {
  using First = Winner<detail::Stored<T>>;
  detail::refuse_nobody(tasks.size());
  std::optional<First> first;
  detail::Branches branches;
  for (std::size_t i = 0; i < tasks.size(); ++i)
    branches.add(std::move(tasks[i]), detail::Win<First>{&first, i});
  static_cast<void>(co_await branches.run());
  if (branches.thrown) std::rethrow_exception(branches.thrown);
  co_return std::move(*first);
}

}  // namespace cobus
