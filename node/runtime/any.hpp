// SPDX-License-Identifier: Apache-2.0
//
// any: runs tasks side by side until the first has ended well; the others are destroyed wherever they
// wait, before whoever awaits it goes on. A task ends well when it does not throw and what it gives, if
// that is a Result or a Status, is ok.
//   Result<Winner<Answer>> answer = co_await any(ask(near), ask(far));
// They start in their order when it is awaited, until one has won, on the strand of who awaits it. It is a
// task itself. See race.hpp for the first that ended in whatever way. One worker only.
#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "node/runtime/branches.hpp"
#include "node/runtime/check.hpp"
#include "node/runtime/race.hpp"
#include "node/runtime/task.hpp"
#include "proto/status.hpp"

namespace cobus {

namespace detail {

// What a task that ended well is worth, and whether it can fail without throwing.
template <class T>
struct Success {
  using Value = Stored<T>;
  static constexpr bool may_fail = false;
};
template <class T>
struct Success<Result<T>> {
  using Value = Stored<T>;
  static constexpr bool may_fail = true;
};
template <>
struct Success<Status> {
  using Value = std::monostate;
  static constexpr bool may_fail = true;
};

// Who came first, or what went wrong last.
template <class First>
struct Attempts {
  Branches branches{Branches::Throw::is_not_enough};
  std::optional<First> first;
  Status error;

  bool failed(Status status) {
    error = std::move(status);
    branches.thrown = nullptr;
    return false;
  }
};

template <class First, std::size_t Index = 0>
struct WinIfOk {
  Attempts<First>* attempts;
  std::size_t index = Index;

  template <class T>
  bool operator()(T value) const {
    return Win<First, Index>{&attempts->first, index}(std::move(value));
  }
  template <class T>
  bool operator()(Result<T> result) const {
    if (!result) return attempts->failed(std::move(result).error());
    if constexpr (std::is_void_v<T>) {
      return (*this)(std::monostate());
    } else {
      return (*this)(std::move(*result));
    }
  }
  bool operator()(Status status) const {
    return status.ok() ? (*this)(std::monostate()) : attempts->failed(std::move(status));
  }
};

// What an any gives: a Result when a task may fail without throwing.
template <class First, bool MayFail>
using Chosen = std::conditional_t<MayFail, Result<First>, First>;

template <bool MayFail, class First>
Chosen<First, MayFail> chosen(Attempts<First>& attempts) {
  if (!attempts.first) {
    if (attempts.branches.thrown) std::rethrow_exception(attempts.branches.thrown);
    if constexpr (MayFail) return fail(std::move(attempts.error));
  }
  COBUS_CHECK(attempts.first);
  return std::move(*attempts.first);
}

}  // namespace detail

// The first success: a Winner when all tasks are worth the same type, else a std::variant whose index() is
// the task's; a Result of that when one of them gives Result or Status. When all have failed, what went wrong
// last: the error as it is, or the exception rethrown. When the worker is asked to stop the tasks hear it,
// each in what it awaits; if that makes all fail with CANCELLED, so does any. Destroyed early it destroys
// the tasks.
template <class... T>
  requires(sizeof...(T) > 0)
[[nodiscard]] auto any(Task<T>... tasks)
    -> Task<detail::Chosen<typename detail::FirstOf<typename detail::Success<T>::Value...>::Type,
                           (detail::Success<T>::may_fail || ...)>> {
  using First = typename detail::FirstOf<typename detail::Success<T>::Value...>::Type;
  detail::Attempts<First> attempts;
  [&]<std::size_t... Index>(std::index_sequence<Index...>) {
    (attempts.branches.add(std::move(tasks), detail::WinIfOk<First, Index>{&attempts}), ...);
  }(std::index_sequence_for<T...>());
  static_cast<void>(co_await attempts.branches.run());
  co_return detail::chosen<(detail::Success<T>::may_fail || ...)>(attempts);
}

// The same for any number of tasks of one type. Throws std::invalid_argument when there is none.
template <class T>
[[nodiscard]] auto any(std::vector<Task<T>> tasks)
    -> Task<detail::Chosen<Winner<typename detail::Success<T>::Value>, detail::Success<T>::may_fail>> {
  using First = Winner<typename detail::Success<T>::Value>;
  detail::refuse_nobody(tasks.size());
  detail::Attempts<First> attempts;
  for (std::size_t i = 0; i < tasks.size(); ++i)
    attempts.branches.add(std::move(tasks[i]), detail::WinIfOk<First>{&attempts, i});
  static_cast<void>(co_await attempts.branches.run());
  co_return detail::chosen<detail::Success<T>::may_fail>(attempts);
}

}  // namespace cobus
