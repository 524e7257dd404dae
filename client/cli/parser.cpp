// SPDX-License-Identifier: Apache-2.0
#include "client/cli/parser.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "client/cli/units.hpp"
#include "proto/similar.hpp"
#include "proto/version.hpp"

namespace cobus::client {
namespace {

constexpr int values_max = 1'000'000;  // of one flag; from 2^25 on CLI11 means something else

std::unexpected<Status> usage(std::string message) {
  return fail(Code::invalid_argument, std::move(message));
}

// Only what is close: flags and verbs are short, so that many are within two letters of one another.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
  const std::string similar = most_similar(word, known);
  const std::size_t letters = word.size() - std::min(word.size(), word.find_first_not_of('-'));
  if (similar.empty() || edit_distance(word, similar) > std::max<std::size_t>(1, letters / 3)) return "";
  return fmt::format("; did you mean {}?", similar);
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t to = 0; to != std::string::npos; from = to + 1) {
    to = text.find(at, from);
    parts.push_back(text.substr(from, to == std::string::npos ? to : to - from));
  }
  return parts;
}

Status check_number(const Flag& flag, const std::string& value) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error == std::errc() && end == value.data() + value.size() && number >= flag.least &&
      number <= flag.most) {
    return {};
  }
  const std::string bound = flag.most == std::numeric_limits<std::int64_t>::max()
                                ? fmt::format("a whole number, {} or more", flag.least)
                                : fmt::format("a whole number from {} to {}", flag.least, flag.most);
  return {Code::invalid_argument, fmt::format("'{}' is not {}", value, bound)};
}

}  // namespace

Status check_value(const Flag& flag, const std::string& value) {
  switch (flag.kind) {
    case Flag::Kind::number:
      return check_number(flag, value);
    case Flag::Kind::duration: {
      const auto parsed = parse_duration(value);
      if (!parsed) return parsed.error();
      if (flag.least == 0 || parsed->count() > 0) return {};
      return {Code::invalid_argument,
              fmt::format("'{}' is no time at all; write 100ms, 30s or 5m, or leave the flag out", value)};
    }
    case Flag::Kind::limit: {
      const auto parsed = parse_time_limit(value);
      return parsed ? Status() : parsed.error();
    }
    case Flag::Kind::rate: {
      const auto parsed = parse_rate(value);
      return parsed ? Status() : parsed.error();
    }
    case Flag::Kind::pair:
      if (value.find('=') != std::string::npos && value[0] != '=') return {};
      return {Code::invalid_argument, fmt::format("'{}' is not of the form KEY=VALUE", value)};
    case Flag::Kind::choice: {
      const std::vector<std::string> choices = split(flag.value, '|');
      if (std::find(choices.begin(), choices.end(), value) != choices.end()) return {};
      return {Code::invalid_argument,
              fmt::format("'{}' is none of {}{}", value, flag.value, did_you_mean(value, choices))};
    }
    case Flag::Kind::toggle:
    case Flag::Kind::text:
    case Flag::Kind::texts:
      return {};
  }
  return {};
}

namespace {

std::string names_of(const Flag& flag) {
  return (flag.letter.empty() ? "" : "-" + flag.letter + ",") + "--" + flag.name;
}

void take_values(CLI::Option* option, bool several) {
  option->expected(1, several ? values_max : 1);
  // With "extra args" CLI11 would take a value such as "[a,b]" apart.
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
}

void add_flags(CLI::App& app, const std::vector<Flag>& flags) {
  for (const Flag& flag : flags) {
    if (flag.kind == Flag::Kind::toggle) {
      app.add_flag(names_of(flag));
      continue;
    }
    CLI::Option* option = app.add_option(names_of(flag));
    take_values(option, flag.kind == Flag::Kind::texts);
  }
}

void add_places(CLI::App& app, const std::vector<Place>& places) {
  for (const Place& place : places) {
    CLI::Option* option = app.add_option(place.name);
    take_values(option, place.repeats);
    option->allow_extra_args(place.repeats);
  }
}

Status take_flags(const CLI::App& app, const std::vector<Flag>& flags, Arguments& arguments) {
  for (const Flag& flag : flags) {
    const CLI::Option* option = app.get_option("--" + flag.name);
    if (option->count() == 0) continue;
    if (flag.kind == Flag::Kind::toggle) {
      arguments.set(flag.name, {"true"});
      continue;
    }
    for (const std::string& value : option->results()) {
      const Status checked = check_value(flag, value);
      if (!checked.ok()) return {checked.code(), fmt::format("--{}: {}", flag.name, checked.message())};
    }
    arguments.set(flag.name, option->results());
  }
  return {};
}

std::string see_help(const Command& command) { return fmt::format("; see: cobus {} --help", command.name); }

// `rest` are the words behind "--".
Status take_places(const CLI::App& app, const Command& command, std::vector<std::string> rest,
                   Arguments& arguments) {
  auto next = rest.begin();
  // A flag that takes any number of words takes those behind "--" too: map M --files FIELD -- -dash.txt
  const auto many = std::ranges::find_if(command.flags, [&](const Flag& flag) {
    return flag.kind == Flag::Kind::texts && arguments.has(flag.name);
  });
  for (const Place& place : command.places) {
    const CLI::Option* option = app.get_option(place.name);
    std::vector<std::string> values = option->results();
    const bool takes = many == command.flags.end() || place.required;
    while (takes && next != rest.end() && (values.empty() || place.repeats))
      values.push_back(std::move(*next++));
    if (!values.empty()) {
      arguments.set(place.name, std::move(values));
    } else if (place.required) {
      return {Code::invalid_argument, fmt::format("cobus {} needs {} ({}){}", command.name, place.name,
                                                  place.help, see_help(command))};
    }
  }
  if (many != command.flags.end() && next != rest.end()) {
    std::vector<std::string> words = arguments.list(many->name);
    words.insert(words.end(), next, rest.end());
    next = rest.end();
    arguments.set(many->name, std::move(words));
  }
  if (next != rest.end())
    return {Code::invalid_argument,
            fmt::format("cobus {} does not take '{}'{}", command.name, *next, see_help(command))};
  return {};
}

// A word that belongs to nothing.
Status unexpected_word(const std::string& word, const Command& command) {
  if (word.size() < 2 || word[0] != '-') {
    return {Code::invalid_argument,
            fmt::format("cobus {} does not take '{}'{}", command.name, word, see_help(command))};
  }
  std::vector<std::string> known;
  for (const auto* flags : {&command.flags, &global_flags()}) {
    for (const Flag& flag : *flags) known.push_back("--" + flag.name);
  }
  const std::string name = word.substr(0, word.find('='));
  const std::string hint = did_you_mean(name, known);
  return {Code::invalid_argument, fmt::format("cobus {} has no flag {}{}", command.name, name,
                                              hint.empty() ? see_help(command) : hint)};
}

std::unexpected<Status> unknown_verb(const std::string& word) {
  std::vector<std::string> known;
  for (const Command& command : commands()) known.push_back(command.name);
  const std::string hint = did_you_mean(word, known);
  return usage(fmt::format("there is no verb '{}'{}", word, hint.empty() ? "; see: cobus help" : hint));
}

// CLI11 says "--output: 1 required  missing" when the words end where a value should be.
std::unexpected<Status> refused_by_cli11(const std::string& what) {
  const std::string name = what.substr(0, what.find(':'));
  std::vector<const std::vector<Flag>*> tables = {&global_flags()};
  for (const Command& command : commands()) tables.push_back(&command.flags);
  for (const auto* flags : tables) {
    for (const Flag& flag : *flags) {
      if (name == "--" + flag.name) return usage(fmt::format("{} needs a value: {}", name, flag.value));
    }
  }
  return usage(fmt::format("cannot make sense of these words ({}); see: cobus help", what));
}

// Answers --help, help and --version; nothing when the verb is to be run.
std::optional<Result<ParsedCommand>> answer(const Command* command, const Arguments& arguments,
                                            const Arguments& globals) {
  ParsedCommand parsed;
  if (globals.has("version")) {
    parsed.text = fmt::format("cobus {}\n", version());
  } else if (command == nullptr || globals.has("help")) {
    parsed.text = help_text(command);
  } else if (command->run == nullptr) {
    const std::string& asked = arguments.text("VERB");
    const auto found =
        std::find_if(commands().begin(), commands().end(), [&](const Command& c) { return c.name == asked; });
    if (found == commands().end() && !asked.empty()) return unknown_verb(asked);
    parsed.text = help_text(found == commands().end() ? nullptr : &*found);
  } else {
    return std::nullopt;
  }
  return parsed;
}

}  // namespace

Result<ParsedCommand> parse_command(std::vector<std::string> words) {
  CLI::App app;
  app.set_help_flag("");
  app.allow_extras();
  app.require_subcommand(0, 1);  // "cobus help map" names one verb, and map is an argument
  add_flags(app, global_flags());
  std::vector<std::pair<const Command*, CLI::App*>> subcommands;
  for (const Command& command : commands()) {
    CLI::App* sub = app.add_subcommand(command.name);
    sub->set_help_flag("");
    sub->fallthrough()->allow_extras();
    add_flags(*sub, command.flags);
    add_places(*sub, command.places);
    subcommands.emplace_back(&command, sub);
  }
  // Behind "--" nothing is a flag.
  const auto end = std::find(words.begin(), words.end(), "--");
  std::vector<std::string> rest(end == words.end() ? end : end + 1, words.end());
  words.erase(end, words.end());
  try {
    std::reverse(words.begin(), words.end());  // as CLI11 wants them
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return refused_by_cli11(error.what());
  }
  const auto used = std::find_if(subcommands.begin(), subcommands.end(),
                                 [](const auto& sub) { return sub.second->parsed(); });
  const Command* command = used == subcommands.end() ? nullptr : used->first;
  Arguments arguments;
  Arguments globals;
  if (Status taken = take_flags(app, global_flags(), globals); !taken.ok()) return fail(taken);
  const std::vector<std::string> extra = app.remaining(true);
  if (command == nullptr && !extra.empty()) {
    return extra[0][0] == '-' ? fail(unexpected_word(extra[0], commands().back())) : unknown_verb(extra[0]);
  }
  if (command == nullptr || globals.has("help") || globals.has("version"))
    return *answer(command, arguments, globals);
  if (!extra.empty()) return fail(unexpected_word(extra[0], *command));
  if (Status taken = take_flags(*used->second, command->flags, arguments); !taken.ok()) return fail(taken);
  if (Status taken = take_places(*used->second, *command, std::move(rest), arguments); !taken.ok())
    return fail(taken);
  if (auto answered = answer(command, arguments, globals)) return *std::move(answered);
  return ParsedCommand{command, std::move(arguments), std::move(globals), {}};
}

}  // namespace cobus::client
