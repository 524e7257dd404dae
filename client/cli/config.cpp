// SPDX-License-Identifier: Apache-2.0
#include "client/cli/config.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "client/cli/command.hpp"
#include "client/cli/parser.hpp"
#include "node/runtime/options.hpp"

namespace cobus::client {
namespace {

namespace fs = std::filesystem;

// Of the flags of every verb, those that stay the same from one command to the next.
constexpr std::array<std::string_view, 5> names = {"output", "state", "join", "connect-timeout", "color"};

const Flag& flag_named(std::string_view name) {
  const auto& flags = global_flags();
  return *std::find_if(flags.begin(), flags.end(), [&](const Flag& flag) { return flag.name == name; });
}

std::vector<OptionSpec> table() {
  std::vector<OptionSpec> specs;
  for (const std::string_view name : names) {
    specs.push_back({std::string(name), OptionSpec::Kind::text, "", flag_named(name).help, 0, 0, {}});
  }
  return specs;
}

// A path in a file is seen from there.
std::string from_there(std::string_view name, const std::string& value, const std::string& source) {
  if (!source.starts_with('/')) return value;  // the environment
  const fs::path folder = fs::path(source).parent_path();
  if (name == "state") return (folder / value).string();
  if (name == "join" && value.starts_with('@')) return '@' + (folder / value.substr(1)).string();
  return value;
}

std::string project_file() {
  std::error_code error;
  for (fs::path folder = fs::current_path(error); !error; folder = folder.parent_path()) {
    if (fs::exists(folder / "cobus.toml", error)) return (folder / "cobus.toml").string();
    if (folder == folder.parent_path()) break;
  }
  return {};
}

std::string users_file() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  const std::string folder = variable("XDG_CONFIG_HOME");
  if (folder.starts_with('/')) return folder + "/cobus/config.toml";
  const std::string home = variable("HOME");
  return home.empty() ? "" : home + "/.config/cobus/config.toml";
}

}  // namespace

Result<std::vector<std::string>> config_files() {
  std::vector<std::string> files = {"/etc/cobus/config.toml"};
  if (std::string file = users_file(); !file.empty()) files.push_back(std::move(file));
  const std::string project = project_file();
  if (project.empty()) return files;
  struct stat facts{};
  const bool known = ::stat(project.c_str(), &facts) == 0;
  const bool ours = facts.st_uid == ::geteuid() || facts.st_uid == 0;
  if (known && (!ours || (facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
    return fail(Code::permission_denied,
                fmt::format("{} may be written by others and is not read; type: chmod go-w {}, or remove it",
                            project, project));
  }
  files.push_back(project);
  return files;
}

Status add_config(Arguments& globals, const std::vector<std::string>& files) {
  const Result<OptionValues> values = read_options(table(), files);
  if (!values) return values.error();
  for (const std::string_view name : names) {
    const std::string& source = values->source(name);
    const bool said = globals.has(name) || (name == "output" && globals.has("json"));
    if (said || source.empty()) continue;
    const std::string& value = values->text(name);
    if (value.empty()) continue;
    if (const Status checked = check_value(flag_named(name), value); !checked.ok())
      return {checked.code(), fmt::format("{}: {}: {}", source, name, checked.message())};
    globals.set(std::string(name), {from_there(name, value, source)});
  }
  return {};
}

}  // namespace cobus::client
