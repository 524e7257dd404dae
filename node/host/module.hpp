// SPDX-License-Identifier: Apache-2.0
//
// Modules: services and kinds of workers in shared objects that a node loads at start (--service FILE.so). A
// module says COBUS_SERVICE(Class), COBUS_WORKER(NAME, function), or both, see <cobus/service.hpp>. It stays
// loaded for the life of the process.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "node/worker/kind.hpp"
#include "node/worker/service.hpp"

namespace cobus::host {

struct Module {
  std::unique_ptr<Service> service;  // may be null
  std::vector<Kind> kinds;
};

// What can be told of a module without running anything of it: its whole path. NOT_FOUND without such a file;
// FAILED_PRECONDITION for a folder or other thing that is no file, or one that others than its owner may
// write.
[[nodiscard]] Result<std::filesystem::path> find_module(const std::filesystem::path& file);

// NOT_FOUND without such a file; FAILED_PRECONDITION for a file that others than its owner may write, that is
// no module, or that was built for another release. Main thread.
[[nodiscard]] Result<Module> load_module(const std::filesystem::path& file);

}  // namespace cobus::host
