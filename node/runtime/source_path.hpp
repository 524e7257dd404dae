// SPDX-License-Identifier: Apache-2.0
//
// source_path: names of source files and functions as people want to read them: from the root of the source
// that they were compiled from, which is nobody's business, and without types. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace cobus {

// "node/worker/call.cpp"; a file that is not of this source tree stays as it is.
[[nodiscard]] std::string_view source_path(std::string_view file) noexcept;

// "Tap::Watcher::next" of "Task<X> cobus::Tap::Watcher::next(Self, int) [T = int]".
[[nodiscard]] std::string function_name(std::string_view signature);

}  // namespace cobus
