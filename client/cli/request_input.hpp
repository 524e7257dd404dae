// SPDX-License-Identifier: Apache-2.0
//
// RequestInput: the request that a command line names: JSON itself, @FILE, or - for stdin. Blocks: for the
// main thread, before anything else runs.
#pragma once

#include <string>

#include "client/cli/arguments.hpp"
#include "proto/status.hpp"

namespace cobus::client {

// Of the place JSON; "{}" if it was left out. INVALID_ARGUMENT as below.
[[nodiscard]] Result<std::string> read_request(const Arguments& arguments);

// INVALID_ARGUMENT for an empty text, which is not what was meant, and for a file that cannot be read, with
// its name and the system's reason.
[[nodiscard]] Result<std::string> read_request(const std::string& argument);

// The whole file ("-" is stdin), at most `bytes_max` bytes. INVALID_ARGUMENT as above.
[[nodiscard]] Result<std::string> read_whole_file(const std::string& path, std::size_t bytes_max);

}  // namespace cobus::client
