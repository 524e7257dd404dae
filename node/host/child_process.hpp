// SPDX-License-Identifier: Apache-2.0
//
// ChildProcess: a program in a process of its own that ends with this one, whatever happens. A thin shell
// around fork, exec and wait; who decides what runs when is Children. It inherits nothing but standard input,
// output and error, and it takes every signal. Used by the thread that started it, which must live as
// long as the child: the kernel ends a child with its thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/status.hpp"

namespace cobus::host {

struct ChildCommand {
  std::string name;                           // for the log
  std::string program;                        // a path
  std::vector<std::string> words;             // the first is what the program is told that it is called
  std::vector<std::string> environment;       // all of it, NAME=VALUE
  std::uint64_t address_space_bytes_max = 0;  // 0 = as much as this process may have
};

class ChildProcess {
 public:
  // UNAVAILABLE when there is no process or descriptor to be had. A program that cannot be run is no error
  // here: the child says why on standard error and ends with exit code 127.
  [[nodiscard]] static Result<ChildProcess> start(const ChildCommand& command);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  // Kills it if it still runs.
  ~ChildProcess();

  [[nodiscard]] pid_t id() const noexcept { return id_; }
  // Readable once it has ended.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  // Sends it a signal; none once reap() has said how it ended.
  void send(int signal) noexcept;
  // How it ended ("exit code 1", "signal SIGSEGV (Segmentation fault)"), once; nullopt while it runs.
  [[nodiscard]] std::optional<std::string> reap();
  // Gives it up: it is neither killed nor waited for.
  void leave() noexcept { id_ = -1; }

 private:
  ChildProcess(pid_t id, int descriptor) : id_(id), descriptor_(descriptor) {}

  pid_t id_ = -1;  // -1 when it has been reaped or left
  int descriptor_ = -1;
};

}  // namespace cobus::host
