// SPDX-License-Identifier: Apache-2.0
#include "client/cli/options.hpp"

namespace cobus::client {

std::optional<Format> asked_format(const Context& context) {
  const Arguments& arguments = context.globals;
  if (arguments.has("output")) return parse_format(arguments.text("output")).value_or(Format::json);
  if (arguments.has("json")) return Format::json;
  return std::nullopt;
}

Format format_of(const Context& context) { return format_or_default(asked_format(context), context.console); }

Color color_of(const Arguments& globals) {
  const std::string& text = globals.text("color");
  return text == "always" ? Color::always : text == "never" ? Color::never : Color::automatic;
}

}  // namespace cobus::client
