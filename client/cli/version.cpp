// SPDX-License-Identifier: Apache-2.0
//
// cobus version
#include "proto/version.hpp"

#include "client/cli/command.hpp"
#include "client/cli/options.hpp"
#include "proto/limits.hpp"

namespace cobus::client {
namespace {

int run(Context& context) {
  const Format format = format_of(context);
  Json object;
  object["program"] = "cobus";
  object["version"] = version();
  object["protocol"] = {limits::protocol_min, limits::protocol_max};
  if (format == Format::table || format == Format::wide || !asked_format(context)) {
    context.console.print("cobus " + std::string(version()));
  } else {
    print_object(context.console, format, object, "version", {});
  }
  return 0;
}

}  // namespace

Command version_command() {
  return {"version", "print the version", "", {}, {}, {{"cobus version -o json", "for scripts"}}, &run};
}

}  // namespace cobus::client
