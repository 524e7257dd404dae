// SPDX-License-Identifier: Apache-2.0
//
// The services that come with the node, each a small worked example.
#pragma once

#include <memory>

#include "node/worker/service.hpp"

namespace cobus::services {

[[nodiscard]] std::unique_ptr<Service> make_echo();
[[nodiscard]] std::unique_ptr<Service> make_primes();
[[nodiscard]] std::unique_ptr<Service> make_text();

}  // namespace cobus::services
