// SPDX-License-Identifier: Apache-2.0
#include "proto/version.hpp"

namespace cobus {

std::string_view version() noexcept { return COBUS_VERSION; }

}  // namespace cobus
