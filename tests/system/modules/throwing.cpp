// SPDX-License-Identifier: Apache-2.0
//
// A module that ends the process which loads it.
#include <cobus/service.hpp>

#include <stdexcept>

namespace {

[[maybe_unused]] const int unlucky = []() -> int { throw std::runtime_error("no luck today"); }();

}  // namespace
