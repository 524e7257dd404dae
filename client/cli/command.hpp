// SPDX-License-Identifier: Apache-2.0
//
// Command: what the program knows of one verb. One table of these drives the parser, --help and whatever
// else wants to know the verbs; each verb's file supplies its own entry. Constant data.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "client/cli/arguments.hpp"
#include "client/cli/console.hpp"
#include "client/cli/interrupts.hpp"

namespace cobus::client {

// What a verb runs with. Lives in main and outlives every session.
struct Context {
  const Arguments& arguments;  // of the verb
  const Arguments& globals;    // the flags of every verb
  Console& console;
  Interrupts& interrupts;
};

struct Flag {
  enum class Kind : unsigned char { toggle, text, number, duration, limit, rate, pair, choice, texts };
  std::string name;    // "timeout": the flag is --timeout
  std::string letter;  // "o": also -o; empty: none
  Kind kind = Kind::toggle;
  std::string value;  // how the help calls its value; of a choice: the words, separated by '|'
  std::string help;
  std::int64_t least = 0;  // of a number; 1 of a duration: more than none
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

struct Place {
  std::string name;  // "METHOD"
  std::string help;
  bool required = true;
  bool repeats = false;
};

struct Example {
  std::string command;
  std::string what;
};

struct Command {
  std::string name;
  std::string summary;  // one line
  std::string details;  // more lines for --help; may be empty
  std::vector<Place> places;
  std::vector<Flag> flags;
  std::vector<Example> examples;
  int (*run)(Context& context) = nullptr;  // gives the exit code; null for help, which the parser answers
};

// Every verb, in the order of the help.
[[nodiscard]] const std::vector<Command>& commands();
// Flags that every verb takes, before or after it.
[[nodiscard]] const std::vector<Flag>& global_flags();

// One for each verb's file.
[[nodiscard]] Command up_command();
[[nodiscard]] Command nodes_command();
[[nodiscard]] Command node_command();
[[nodiscard]] Command services_command();
[[nodiscard]] Command describe_command();
[[nodiscard]] Command template_command();
[[nodiscard]] Command call_command();
[[nodiscard]] Command submit_command();
[[nodiscard]] Command wait_command();
[[nodiscard]] Command result_command();
[[nodiscard]] Command jobs_command();
[[nodiscard]] Command job_command();
[[nodiscard]] Command map_command();
[[nodiscard]] Command ps_command();
[[nodiscard]] Command worker_command();
[[nodiscard]] Command tree_command();
[[nodiscard]] Command tap_command();
[[nodiscard]] Command doctor_command();
[[nodiscard]] Command token_command();
[[nodiscard]] Command keys_command();
[[nodiscard]] Command revoke_command();
[[nodiscard]] Command version_command();

}  // namespace cobus::client
