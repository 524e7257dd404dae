// SPDX-License-Identifier: Apache-2.0
//
// RequestInput: the request that a command line names: JSON itself, @FILE, or - for stdin. Blocks: for the
// main thread, before anything else runs, or the pool.
#pragma once

#include <string>

#include "client/cli/arguments.hpp"
#include "node/runtime/offload.hpp"
#include "proto/status.hpp"

namespace cobus::client {

// What a command line names, not read yet: for those who must know the method first. The whole of it is one
// request, or its lines are.
struct NamedInput {
  std::string text;     // the argument, when it is the JSON itself
  int descriptor = -1;  // of the file, or stdin; whoever reads closes it
  std::string name;     // of that, for errors
};
// INVALID_ARGUMENT with the system's reason when stdin is closed, or open for writing only.
[[nodiscard]] Status check_stdin();
// Of the place JSON; "{}" if it was left out. INVALID_ARGUMENT as below.
[[nodiscard]] Result<NamedInput> open_request(const Arguments& arguments);
// All of it, and closes it. INVALID_ARGUMENT as below. CANCELLED soon after `stop`, for a thread of the pool.
[[nodiscard]] Result<std::string> read_all(const NamedInput& input, const OffloadStop* stop = nullptr);

// Of the place JSON; "{}" if it was left out. INVALID_ARGUMENT as below.
[[nodiscard]] Result<std::string> read_request(const Arguments& arguments);

// INVALID_ARGUMENT for an empty text, which is not what was meant, and for a file that cannot be read, with
// its name and the system's reason.
[[nodiscard]] Result<std::string> read_request(const std::string& argument);

// The whole file ("-" is stdin), at most `bytes_max` bytes. INVALID_ARGUMENT as above.
[[nodiscard]] Result<std::string> read_whole_file(const std::string& path, std::size_t bytes_max);

}  // namespace cobus::client
