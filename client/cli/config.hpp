// SPDX-License-Identifier: Apache-2.0
//
// Config: what the flags of every verb are when the command line does not say: the environment (COBUS_NAME),
// else the project's file, the user's, the machine's. Read once, at start, by the main thread.
#pragma once

#include <string>
#include <vector>

#include "client/cli/arguments.hpp"
#include "proto/status.hpp"

namespace cobus::client {

// Where they may be, the least important first: /etc/cobus/config.toml, $XDG_CONFIG_HOME/cobus/config.toml
// (~/.config), and the nearest cobus.toml in this folder or one above it. PERMISSION_DENIED when somebody
// else may write the last: it says with which cluster this program speaks.
[[nodiscard]] Result<std::vector<std::string>> config_files();

// Adds to `globals` what the command line left open. INVALID_ARGUMENT naming the variable or the file and
// key.
[[nodiscard]] Status add_config(Arguments& globals, const std::vector<std::string>& files);

}  // namespace cobus::client
