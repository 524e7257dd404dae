// SPDX-License-Identifier: Apache-2.0
//
// Caught: makes an error of an exception that leaves a coroutine. For every child of a Scope whose parent
// waits for something else than the end of the child: an exception would end the child without a word, and
// the verb would wait for ever.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "node/runtime/task.hpp"
#include "proto/status.hpp"

namespace cobus::client {

// INTERNAL with its text: of the exception that is being handled.
[[nodiscard]] inline Status thrown_status() {
  std::string text = "an exception of unknown type";
  try {
    throw;
  } catch (const std::exception& error) {
    text = error.what();
  } catch (...) {  // NOLINT(bugprone-empty-catch): it has no text
  }
  return {Code::internal, "a defect of this program: " + text};
}

// What `task` gives; INTERNAL when an exception leaves it.
template <class T>
[[nodiscard]] Task<Result<T>> caught(Task<T> task) {
  try {
    co_return co_await std::move(task);
  } catch (...) {
    co_return fail(thrown_status());
  }
}
[[nodiscard]] inline Task<Status> caught(Task<> task) {
  try {
    co_await std::move(task);
  } catch (...) {
    co_return thrown_status();
  }
  co_return Status();
}

}  // namespace cobus::client
