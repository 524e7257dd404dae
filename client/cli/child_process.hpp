// SPDX-License-Identifier: Apache-2.0
//
// ChildProcess: a daemon that this program started and that ends with it, whatever happens. Its stderr comes
// here through a pipe. Made and used by the main thread, which must live as long as the child.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "node/runtime/clock.hpp"
#include "proto/status.hpp"

namespace cobus::client {

class ChildProcess {
 public:
  // Starts words[0], looked up in PATH unless it has a slash. A program that cannot be started says so on its
  // stderr and ends. UNAVAILABLE when there is no process or pipe to be had.
  [[nodiscard]] static Result<ChildProcess> start(std::string name, const std::vector<std::string>& words);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess() { stop(); }

  // The line of its stderr in which `phrase` stands; what came before and after is kept for take_said().
  // UNAVAILABLE when it says nothing like it for `patience`. When it ends first: its last words without its
  // name before them, and the code that its exit code stands for.
  [[nodiscard]] Result<std::string> wait_for_line(std::string_view phrase, Duration patience);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // Readable when it said something or ended.
  [[nodiscard]] int descriptor() const noexcept { return stderr_; }
  // What is there to be read now, after descriptor() was readable. False once it has ended.
  [[nodiscard]] bool read_more();
  // Whole lines that it said and nobody took.
  [[nodiscard]] std::vector<std::string> take_said();

  // Asks it to stop and waits; kills it after ten seconds. Idempotent.
  void stop() noexcept;

 private:
  ChildProcess(std::string name, pid_t pid, int descriptor)
      : name_(std::move(name)), pid_(pid), stderr_(descriptor) {}

  [[nodiscard]] Status last_words();

  std::string name_;
  pid_t pid_ = -1;
  int stderr_ = -1;
  std::string said_;
};

}  // namespace cobus::client
