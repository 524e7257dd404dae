// SPDX-License-Identifier: Apache-2.0
//
// The help pages, written from the command table.
#include <fmt/format.h>

#include <algorithm>

#include "client/cli/parser.hpp"

namespace cobus::client {
namespace {

using Row = std::pair<std::string, std::string>;

std::string spelled(const Flag& flag) {
  std::string text =
      flag.letter.empty() ? "    --" + flag.name : fmt::format("-{}, --{}", flag.letter, flag.name);
  if (!flag.value.empty()) text += ' ' + flag.value;
  return text;
}

std::string listed(const std::string& title, const std::vector<Row>& rows) {
  if (rows.empty()) return {};
  std::size_t widest = 0;
  for (const auto& [left, right] : rows) {
    if (left.size() <= 34) widest = std::max(widest, left.size());
  }
  std::string out = '\n' + title + ":\n";
  for (const auto& [left, right] : rows) {
    if (left.size() > widest) {
      out += fmt::format("  {}\n  {:{}}  {}\n", left, "", widest, right);
    } else {
      out += fmt::format("  {:{}}  {}\n", left, widest, right);
    }
  }
  return out;
}

std::string flags_listed(const std::string& title, const std::vector<Flag>& flags) {
  std::vector<Row> rows;
  for (const Flag& flag : flags) rows.emplace_back(spelled(flag), flag.help);
  return listed(title, rows);
}

std::string page_of_program() {
  std::string out =
      "cobus - use a cobus cluster from the command line\n\nUsage: cobus VERB [ARGUMENT...] [FLAG...]\n";
  std::vector<Row> rows;
  for (const Command& command : commands()) rows.emplace_back(command.name, command.summary);
  out += listed("Verbs", rows);
  out += flags_listed("Flags of every verb", global_flags());
  out += listed("Examples",
                {{"cobus up", "a broker and three nodes on this host, to try things out"},
                 {"cobus call echo.Echo/Echo '{\"text\":\"hi\"}'", "one call"},
                 {"cobus map text.Text/WordCount --files text *.txt", "one request a file, on all nodes"}});
  out +=
      "\nOutput, state, join, connect-timeout and color are looked for in this order: the flag, the "
      "environment\n"
      "(COBUS_OUTPUT ...), and, as a line like output = \"json\", the nearest cobus.toml in this folder or "
      "above,\n"
      "~/.config/cobus/config.toml, /etc/cobus/config.toml.\n"
      "\nExit codes: 0 done, 1 failed, 2 usage, 3 cancelled or expired, 4 nothing can run it,\n"
      "69 cluster unreachable, 75 busy or no room, 77 not permitted, 124 out of time,\n"
      "130 and 143 interrupted.\n";
  return out;
}

}  // namespace

std::string help_text(const Command* command) {
  if (command == nullptr) return page_of_program();
  std::string out =
      fmt::format("cobus {} - {}\n\nUsage: cobus {}", command->name, command->summary, command->name);
  std::vector<Row> places;
  for (const Place& place : command->places) {
    const std::string text = place.name + (place.repeats ? "..." : "");
    out += place.required ? ' ' + text : fmt::format(" [{}]", text);
    places.emplace_back(place.name, place.help);
  }
  out += command->flags.empty() ? "\n" : " [FLAG...]\n";
  if (!command->details.empty()) out += '\n' + command->details + '\n';
  out += listed("Arguments", places);
  out += flags_listed("Flags", command->flags);
  out += flags_listed("Flags of every verb", global_flags());
  std::vector<Row> examples;
  for (const Example& example : command->examples) examples.emplace_back(example.command, example.what);
  return out + listed("Examples", examples);
}

}  // namespace cobus::client
