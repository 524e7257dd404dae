// SPDX-License-Identifier: Apache-2.0
//
// Modules: services in shared objects that a node loads at start (--service FILE.so). A module says
// COBUS_SERVICE(Class), see <cobus/service.hpp>. It stays loaded for the life of the process.
#pragma once

#include <filesystem>
#include <memory>

#include "node/worker/service.hpp"

namespace cobus::host {

// NOT_FOUND without such a file; FAILED_PRECONDITION for a file that others than its owner may write, that is
// no module, or that was built for another release.
[[nodiscard]] Result<std::unique_ptr<Service>> load_module(const std::filesystem::path& file);

}  // namespace cobus::host
