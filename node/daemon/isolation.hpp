// SPDX-License-Identifier: Apache-2.0
//
// Isolation: how the daemon has a module run in a child process. The child is this very program as a node of
// its own, so it is in the directory, is called directly, and its loss is seen as that of any node. What
// starts and ends it is host::Children. Used at start, one thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "node/daemon/daemon.hpp"
#include "node/runtime/options.hpp"

namespace cobus::daemon {

struct Isolated {
  std::string name;            // of the child: PARENT.STEM
  std::filesystem::path file;  // the whole path
};

// The modules of --isolate, for the node that `setup` is of. INVALID_ARGUMENT when a child cannot have the
// name that it would get, two would get the same, or the memory that they may have is too little to start
// with; the errors of host::find_module().
[[nodiscard]] Result<std::vector<Isolated>> isolated_modules(const OptionValues& options, const Setup& setup);

// What starts this one: the options of the parent where they are also for the child. The join string, which
// may hold a secret, is in its environment, which other users cannot read.
[[nodiscard]] host::ChildCommand child_command(const OptionValues& options, const Setup& setup,
                                               const Isolated& module);

// In the child, in main and before it loads anything: from now on the process ends when it gets no more
// memory, so that it is started again; it would be of no use to anybody. Where the machine has none left, the
// kernel takes it from this process before others.
void live_as_child(const std::string& name);

}  // namespace cobus::daemon
