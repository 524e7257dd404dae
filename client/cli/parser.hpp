// SPDX-License-Identifier: Apache-2.0
//
// Parser: makes a command and its arguments of the words of a command line, by the command table, and
// writes the help from it. Every complaint names the word, the cause and what to type. Pure.
#pragma once

#include <string>
#include <vector>

#include "client/cli/command.hpp"
#include "proto/status.hpp"

namespace cobus::client {

struct ParsedCommand {
  const Command* command = nullptr;  // null when only `text` is to be printed
  Arguments arguments;
  Arguments globals;  // apart, since a verb may use a name again: cobus --state DIR jobs --state failed
  std::string text;   // of --help or --version
};

// INVALID_ARGUMENT for everything that exit code 2 stands for. `words` are without the program's name.
[[nodiscard]] Result<ParsedCommand> parse_command(std::vector<std::string> words);

// Whether `value` is one that the flag takes; INVALID_ARGUMENT saying why not.
[[nodiscard]] Status check_value(const Flag& flag, const std::string& value);

// The page of one verb, or of the program for null.
[[nodiscard]] std::string help_text(const Command* command);

}  // namespace cobus::client
