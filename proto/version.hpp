// SPDX-License-Identifier: Apache-2.0
//
// The release. The number is set in the root CMakeLists.txt and nowhere else.
#pragma once

#include <string_view>

namespace cobus {

// "0.1.0"
[[nodiscard]] std::string_view version() noexcept;

}  // namespace cobus
