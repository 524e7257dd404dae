// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_resume.hpp"

#include <fmt/format.h>

#include "client/cli/terminal.hpp"

namespace cobus::client {
namespace {

constexpr std::size_t shown_columns = 48;

std::string shown(const std::string& text) { return fit(printable(text), shown_columns); }

std::unexpected<Status> another(const MapOptions& options, const MapInput& input, const std::string& logged) {
  const std::string where =
      input.line > 0 ? fmt::format("line {}", input.line) : fmt::format("request {}", input.sequence);
  return fail(Code::invalid_argument,
              fmt::format("the joblog is of another input: {} is {}, and {} has {}; give the input that it "
                          "was made of, or begin a new one with another --joblog",
                          where, shown(input.text), options.joblog, shown(logged)));
}

}  // namespace

Result<bool> MapResume::passes_over(const MapOptions& options, MapInput& input) {
  const auto found = entries_.find(input.sequence);
  if (found == entries_.end()) return false;
  const JoblogEntry& entry = found->second;
  const Result<MapInput> logged = parse_request_command(options, entry.command);
  if (!logged) return fail(logged.error());
  if (logged->file != input.file || logged->text != input.text) return another(options, input, logged->text);
  if (options.retry_failed && entry.exit != 0) {
    input.failed_job = entry.job;
    return false;
  }
  ++done_;
  if (entry.exit != 0) ++failed_;
  return true;
}

}  // namespace cobus::client
