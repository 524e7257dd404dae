// SPDX-License-Identifier: Apache-2.0
//
// Modules: services and kinds of workers in shared objects that a node loads at start (--service FILE.so). A
// module says COBUS_SERVICE(Class) and COBUS_WORKER(NAME, function), each as often as it likes, see
// <cobus/service.hpp>. It stays loaded for the life of the process.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "node/worker/kind.hpp"
#include "node/worker/service.hpp"

namespace cobus::host {

struct Module {
  std::string file;  // as it was given
  std::vector<std::unique_ptr<Service>> services;
  std::vector<Kind> kinds;
};

// What can be told of a module without running anything of it: its whole path. NOT_FOUND without such a file;
// FAILED_PRECONDITION for a folder or other thing that is no file, or one that others than its owner may
// write.
[[nodiscard]] Result<std::filesystem::path> find_module(const std::filesystem::path& file);

// NOT_FOUND without such a file; FAILED_PRECONDITION for a file that others than its owner may write, that is
// no module, that was built for another release, or that would end this process while it is loaded
// (trial.hpp). Main thread, best before there are others.
[[nodiscard]] Result<Module> load_module(const std::filesystem::path& file);

// All of them in their order, up to the first error. FAILED_PRECONDITION also for a service that two bring.
[[nodiscard]] Result<std::vector<Module>> load_modules(const std::vector<std::string>& files);

}  // namespace cobus::host
