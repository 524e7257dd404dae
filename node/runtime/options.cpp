// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/options.hpp"

#include <toml++/toml.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "node/runtime/check.hpp"
#include "proto/version.hpp"

namespace cobus {

std::string variable_of(const OptionSpec& spec) {
  std::string variable = "COBUS_" + spec.name;
  for (char& c : variable)
    c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return variable;
}

namespace {

void overwrite(std::vector<std::string>& values) noexcept {
  for (std::string& value : values) {
    // Volatile, so that it is not left out as a write that nobody reads.
    volatile char* const bytes = value.data();
    std::fill_n(bytes, value.size(), '\0');
  }
}

}  // namespace

OptionValues::~OptionValues() {
  for (auto& [name, values] : values_) overwrite(values);
}

const std::vector<std::string>& OptionValues::list(std::string_view name) const {
  const auto found = values_.find(name);
  COBUS_CHECK(found != values_.end());
  return found->second;
}

const std::string& OptionValues::text(std::string_view name) const {
  static const std::string none;
  const auto& all = list(name);
  return all.empty() ? none : all.back();
}

std::int64_t OptionValues::number(std::string_view name) const {
  return std::strtoll(text(name).c_str(), nullptr, 10);
}

const std::string& OptionValues::source(std::string_view name) const {
  static const std::string none;
  const auto found = sources_.find(name);
  return found == sources_.end() ? none : found->second;
}

bool OptionValues::flag(std::string_view name) const { return text(name) == "true"; }

std::string OptionValues::to_toml(const std::vector<OptionSpec>& table) const {
  std::string out;
  for (const OptionSpec& spec : table) {
    out += "# " + spec.help + "\n";
    std::string value;
    if (spec.kind == OptionSpec::Kind::number || spec.kind == OptionSpec::Kind::flag) {
      value = text(spec.name);
    } else if (spec.kind == OptionSpec::Kind::text) {
      std::ostringstream quoted;
      quoted << toml::value<std::string>(text(spec.name));
      value = quoted.str();
    } else {
      toml::array items;
      for (const std::string& item : list(spec.name)) items.push_back(item);
      std::ostringstream quoted;
      quoted << items;
      value = quoted.str();
    }
    out += spec.name + " = " + value + "\n\n";
  }
  return out;
}

class OptionParser {
 public:
  explicit OptionParser(const std::vector<OptionSpec>& table) : table_(table) {}

  // `where` names the option in errors, and where it comes from unless `source` does.
  Status set(const OptionSpec& spec, std::vector<std::string> given, const std::string& where,
             const std::string& source = {}) {
    for (const std::string& value : given) {
      if (Status status = check(spec, value, where); !status.ok()) return status;
    }
    values_.values_[spec.name] = std::move(given);
    values_.sources_[spec.name] = source.empty() ? where : source;
    return {};
  }

  Status defaults() {
    for (const OptionSpec& spec : table_) {
      std::vector<std::string> value;
      if (spec.kind != OptionSpec::Kind::list || !spec.fallback.empty()) value.push_back(spec.fallback);
      values_.values_[spec.name] = std::move(value);
    }
    return {};
  }

  Status environment(bool empty_counts = true) {
    for (const OptionSpec& spec : table_) {
      const std::string variable = variable_of(spec);
      const char* value =
          std::getenv(variable.c_str());  // NOLINT(concurrency-mt-unsafe): at start, one thread
      if (value == nullptr || (*value == '\0' && !empty_counts)) continue;
      const std::string where = "the environment variable " + variable;
      if (Status status = set(spec, {value}, where); !status.ok()) return status;
    }
    return {};
  }

  Status file(const std::string& path) {
    toml::table parsed;
    if (std::error_code error; !std::filesystem::is_regular_file(path, error)) {
      return {Code::invalid_argument, path + " is no file that can be read" +
                                          (error ? ": " + error.message() : "") + "; write one in TOML"};
    }
    try {
      parsed = toml::parse_file(path);
    } catch (const toml::parse_error& error) {
      return {Code::invalid_argument, path + ", line " + std::to_string(error.source().begin.line) + ": " +
                                          std::string(error.description())};
    }
    for (const auto& [key, node] : parsed) {
      const std::string name(key.str());
      const auto spec =
          std::find_if(table_.begin(), table_.end(), [&](const OptionSpec& s) { return s.name == name; });
      if (spec == table_.end()) {
        return {Code::invalid_argument,
                path + ": there is no option '" + name + "'; --print-config lists them"};
      }
      const std::string where = path + ", line " + std::to_string(node.source().begin.line) + ": " + name;
      auto given = values_of(*spec, node);
      if (!given) return {Code::invalid_argument, where + " " + given.error().message()};
      if (Status status = set(*spec, std::move(*given), where, path); !status.ok()) return status;
    }
    return {};
  }

  OptionValues take() { return std::move(values_); }

 private:
  // What stands in a file, as the texts that a command line would have.
  static Result<std::vector<std::string>> values_of(const OptionSpec& spec, const toml::node& node) {
    std::vector<std::string> values;
    const auto add = [&values](const toml::node& value) {
      if (value.is_string()) values.push_back(value.as_string()->get());
      if (value.is_integer()) values.push_back(std::to_string(value.as_integer()->get()));
      if (value.is_boolean()) values.emplace_back(value.as_boolean()->get() ? "true" : "false");
      return value.is_string() || value.is_integer() || value.is_boolean();
    };
    constexpr const char* wrong = "wants a text, a whole number, true or false";
    if (const toml::array* items = node.as_array()) {
      if (spec.kind != OptionSpec::Kind::list)
        return fail(Code::invalid_argument, "wants one value, not a list");
      for (const toml::node& item : *items) {
        if (!add(item)) return fail(Code::invalid_argument, wrong);
      }
    } else if (!add(node)) {
      return fail(Code::invalid_argument, wrong);
    }
    return values;
  }

  static Status check(const OptionSpec& spec, const std::string& value, const std::string& where) {
    if (spec.kind == OptionSpec::Kind::number) {
      std::int64_t number = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (error != std::errc{} || end != value.data() + value.size() || number < spec.least ||
          number > spec.most) {
        return {Code::invalid_argument, where + ": '" + value + "' is not a number from " +
                                            std::to_string(spec.least) + " to " + std::to_string(spec.most)};
      }
    }
    if (spec.kind == OptionSpec::Kind::flag && value != "true" && value != "false") {
      return {Code::invalid_argument, where + ": '" + value + "' is neither true nor false"};
    }
    if (!spec.choices.empty() &&
        std::find(spec.choices.begin(), spec.choices.end(), value) == spec.choices.end()) {
      std::string all;
      for (const std::string& choice : spec.choices) all += (all.empty() ? "" : ", ") + choice;
      return {Code::invalid_argument, where + ": '" + value + "' is none of: " + all};
    }
    return {};
  }

  const std::vector<OptionSpec>& table_;
  OptionValues values_;
};

namespace {

std::string help_text(const OptionSpec& spec) {
  std::string text = spec.help;
  if (!spec.fallback.empty() && spec.kind != OptionSpec::Kind::flag) text += " [" + spec.fallback + "]";
  return text;
}

}  // namespace

Result<ParsedOptions> parse_options(const std::string& program, const std::string& summary,
                                    const std::vector<OptionSpec>& table, int argc, const char* const* argv) {
  CLI::App app(summary, program);
  std::map<std::string, std::vector<std::string>> given;
  std::map<std::string, bool> flags;
  std::string config;
  bool print_config = false;
  bool check_config = false;
  for (const OptionSpec& spec : table) {
    if (spec.kind == OptionSpec::Kind::flag) {
      app.add_flag("--" + spec.name, flags[spec.name], help_text(spec));
    } else {
      app.add_option("--" + spec.name, given[spec.name], help_text(spec))
          ->take_all()
          ->expected(1)
          ->type_name(spec.kind == OptionSpec::Kind::number ? "NUMBER" : "TEXT");
    }
  }
  app.add_option("--config", config, "Read options from this TOML file")->type_name("FILE");
  app.add_flag("--print-config", print_config, "Print all options as a configuration file, then end");
  app.add_flag("--check-config", check_config, "Check the options, then end");
  app.set_version_flag("--version", program + " " + std::string(version()));

  ParsedOptions parsed;
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    parsed.finished = true;
    parsed.output = app.help();
    return parsed;
  } catch (const CLI::CallForVersion& version_text) {
    parsed.finished = true;
    parsed.output = std::string(version_text.what()) + "\n";
    return parsed;
  } catch (const CLI::ParseError& error) {
    return fail(Code::invalid_argument, std::string(error.what()) + "; see " + program + " --help");
  }

  OptionParser parser(table);
  Status status = parser.defaults();
  if (status.ok() && !config.empty()) status = parser.file(config);
  if (status.ok()) status = parser.environment();
  for (const OptionSpec& spec : table) {
    if (!status.ok()) break;
    if (spec.kind == OptionSpec::Kind::flag) {
      if (app.count("--" + spec.name) > 0)
        status = parser.set(spec, {flags[spec.name] ? "true" : "false"}, "--" + spec.name);
    } else if (!given[spec.name].empty()) {
      status = parser.set(spec, given[spec.name], "--" + spec.name);
    }
  }
  for (auto& [name, values] : given) overwrite(values);
  if (!status.ok()) return fail(std::move(status));
  parsed.values = parser.take();
  parsed.finished = print_config || check_config;
  if (print_config) parsed.output = parsed.values.to_toml(table);
  parsed.check = check_config;
  if (check_config && !print_config) parsed.output = "the options are valid\n";
  return parsed;
}

Result<OptionValues> read_options(const std::vector<OptionSpec>& table,
                                  const std::vector<std::string>& files) {
  OptionParser parser(table);
  Status status = parser.defaults();
  for (const std::string& file : files) {
    std::error_code error;
    if (status.ok() && std::filesystem::exists(file, error)) status = parser.file(file);
  }
  if (status.ok()) status = parser.environment(false);
  if (!status.ok()) return fail(std::move(status));
  return parser.take();
}

}  // namespace cobus
