// SPDX-License-Identifier: Apache-2.0
//
// cobus: the client. A shell: words in, exit code out.
#include <fmt/format.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "client/cli/config.hpp"
#include "client/cli/options.hpp"
#include "client/cli/parser.hpp"
#include "node/observe/log.hpp"
#include "node/runtime/exit_code.hpp"
#include "node/runtime/hidden_arguments.hpp"
#include "node/runtime/protobuf_log.hpp"
#include "node/runtime/standard_descriptors.hpp"

namespace {

using cobus::client::Color;
using cobus::client::Console;
using cobus::client::stream_traits_of;

// What the layers below say of themselves is for those who look for a fault: COBUS_LOG=debug.
std::unique_ptr<cobus::OpenLog> open_log() {
  const char* level = std::getenv("COBUS_LOG");
  if (level == nullptr || *level == '\0') {
    spdlog::set_default_logger(spdlog::null_logger_mt("cobus"));
    cobus::route_protobuf_log();
    return nullptr;
  }
  auto log = std::make_unique<cobus::OpenLog>("cobus");
  cobus::change_log(level, "text");
  return log;
}

int run(int argc, char** argv) {
  const cobus::HiddenArguments given(argc, argv);
  cobus::client::Interrupts interrupts;  // before any thread
  const auto log = open_log();
  Console console(stdout, stream_traits_of(STDOUT_FILENO, Color::automatic), stderr,
                  stream_traits_of(STDERR_FILENO, Color::automatic));
  auto parsed = cobus::client::parse_command(
      {given.words() + (given.count() > 0 ? 1 : 0), given.words() + given.count()});
  if (!parsed) {
    console.error(parsed.error().message());
    return cobus::exit_code(parsed.error().code());
  }
  if (parsed->command == nullptr) {
    console.write(parsed->text);
    return 0;
  }
  const auto files = cobus::client::config_files();
  const cobus::Status configured = files ? add_config(parsed->globals, *files) : files.error();
  if (!configured.ok()) {
    console.error(configured.message());
    return cobus::exit_code(configured.code());
  }
  const Color color = cobus::client::color_of(parsed->globals);
  console.set_traits(stream_traits_of(STDOUT_FILENO, color), stream_traits_of(STDERR_FILENO, color));
  cobus::client::Context context{parsed->arguments, parsed->globals, console, interrupts};
  return parsed->command->run(context);
}

}  // namespace

int main(int argc, char** argv) {
  cobus::open_standard_descriptors();
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fputs(fmt::format("cobus: a defect of this program: {}\n",
                           cobus::client::short_printable(error.what(), 4096))
                   .c_str(),
               stderr);
    return 1;
  }
}
