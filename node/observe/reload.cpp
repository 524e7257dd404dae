// SPDX-License-Identifier: Apache-2.0
#include "node/observe/reload.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "node/observe/log.hpp"

namespace cobus {
namespace {

bool is_of_log(const std::string& name) { return name == "log-level" || name == "log-format"; }

// Whoever sent the signal looks for an answer, also where little is logged.
void say(const std::string& text) {
  spdlog::log(std::max(spdlog::level::info, spdlog::default_logger()->level()), "{}", text);
}

}  // namespace

Reload::Reload(std::string program, const std::vector<OptionSpec>& table, int argc, const char* const* argv,
               OptionValues now)
    : program_(std::move(program)), table_(table), argc_(argc), argv_(argv), now_(std::move(now)) {}

void Reload::operator()() {
  auto parsed = parse_options(program_, "", table_, argc_, argv_);
  if (!parsed) {
    spdlog::error("SIGHUP: nothing is reloaded: {}", parsed.error().message());
    return;
  }
  std::string later;
  for (const OptionSpec& spec : table_) {
    if (is_of_log(spec.name) || parsed->values.list(spec.name) == now_.list(spec.name)) continue;
    later += (later.empty() ? "" : ", ") + spec.name;
  }
  const std::string& level = parsed->values.text("log-level");
  const std::string& format = parsed->values.text("log-format");
  change_log(level, format);
  say("SIGHUP: reloaded the options: log-level is " + level + ", log-format " + format +
      (later.empty() ? "" : "; changed, but only for the next start: " + later));
}

}  // namespace cobus
