// SPDX-License-Identifier: Apache-2.0
//
// RequestInput: the request that a command line names: JSON itself, @FILE, or - for stdin. Blocks: for the
// main thread, before anything else runs.
#pragma once

#include <string>

#include "proto/status.hpp"

namespace cobus::client {

// "{}" for an empty text. INVALID_ARGUMENT naming the file and the system's reason.
[[nodiscard]] Result<std::string> read_request(const std::string& argument);

// The whole file ("-" is stdin), at most `bytes_max` bytes. INVALID_ARGUMENT as above.
[[nodiscard]] Result<std::string> read_whole_file(const std::string& path, std::size_t bytes_max);

}  // namespace cobus::client
