// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_options.hpp"

#include <fmt/format.h>

#include <charconv>

namespace cobus::client {
namespace {

std::unexpected<Status> usage(std::string message) {
  return fail(Code::invalid_argument, std::move(message));
}

}  // namespace

Result<Halt> parse_halt(const std::string& text) {
  Halt halt;
  if (text == "never") return halt;
  halt.now = text.starts_with("now,fail=");
  if (halt.now || text.starts_with("soon,fail=")) {
    const std::string number = text.substr(text.find('=') + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), halt.fails);
    if (error == std::errc() && end == number.data() + number.size() && halt.fails > 0) return halt;
  }
  return usage(fmt::format("--halt: '{}' is not one of now,fail=N, soon,fail=N and never", text));
}

Result<MapOptions> map_options(const Arguments& arguments, bool stdin_terminal) {
  MapOptions options;
  options.method = arguments.text("METHOD");
  options.parallel = static_cast<std::uint64_t>(arguments.number("jobs").value_or(16));
  options.keep_order = arguments.has("keep-order");
  options.bar = arguments.has("bar");
  options.ledger = !arguments.has("no-ledger");
  options.joblog = arguments.text("joblog");
  options.resume = arguments.has("resume");
  options.retry_failed = arguments.has("retry-failed");
  options.timeout = arguments.duration("timeout");
  if (arguments.has("halt")) {
    const auto halt = parse_halt(arguments.text("halt"));
    if (!halt) return fail(halt.error());
    options.halt = *halt;
  }
  if ((options.resume || options.retry_failed) && options.joblog.empty()) {
    return usage("--resume and --retry-failed go by a joblog: name it with --joblog FILE");
  }
  const std::vector<std::string>& files = arguments.list("files");
  if (!files.empty()) {
    if (arguments.has("INPUT"))
      return usage("the requests come from --files or from a file of JSON lines, not from both");
    options.field = files.front();
    options.files.assign(files.begin() + 1, files.end());
    if (options.files.empty() && !options.retry_failed) {
      return usage(
          fmt::format("--files {}: names a field but no file; write --files FIELD PATH...", options.field));
    }
    return options;
  }
  const bool from_log = options.retry_failed && !options.resume;
  if (!arguments.has("INPUT") && stdin_terminal && !from_log) {
    return usage(
        "cobus map needs requests: a file of JSON lines, - for stdin, or --files FIELD PATH...; see: cobus "
        "map --help");
  }
  if (arguments.has("INPUT")) options.input = arguments.text("INPUT");
  return options;
}

std::string place_of(const MapOptions& options, const MapInput& input) {
  if (input.line == 0) return {};
  return fmt::format("{}:{}", options.input == "-" ? "stdin" : options.input, input.line);
}

std::string request_command(const MapOptions& options, const MapInput& input) {
  if (input.file) return fmt::format("{} --files {} {}", options.method, options.field, input.text);
  return options.method + ' ' + input.text;
}

Result<MapInput> parse_request_command(const MapOptions& options, const std::string& command) {
  MapInput input;
  const std::string method = options.method + ' ';
  if (!command.starts_with(method)) {
    return usage(fmt::format("the joblog is of another method than {}: {}", options.method,
                             command.substr(0, command.find(' '))));
  }
  const std::string rest = command.substr(method.size());
  constexpr std::string_view files = "--files ";
  input.file = rest.starts_with(files);
  if (!input.file) {
    input.text = rest;
    return input;
  }
  const std::string field = options.field + ' ';
  if (options.field.empty() || !rest.substr(files.size()).starts_with(field)) {
    return usage("the joblog is of a map over files: repeat it with the same --files FIELD");
  }
  input.text = rest.substr(files.size() + field.size());
  return input;
}

}  // namespace cobus::client
