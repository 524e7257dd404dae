// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/source_path.hpp"

#include <algorithm>
#include <source_location>

namespace cobus {
namespace {

constexpr std::string_view this_file = "node/runtime/source_path.cpp";

// The root as this file was given to the compiler. A compiler cache gives some by their path from the build
// folder and others in full, so both count.
std::string_view root_as_compiled() noexcept {
  std::string_view root = std::source_location::current().file_name();
  root.remove_suffix(root.ends_with(this_file) ? this_file.size() : root.size());
  return root;
}

void replace(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

}  // namespace

std::string_view source_path(std::string_view file) noexcept {
  static const std::string_view as_compiled = root_as_compiled();
  for (const std::string_view root : {std::string_view(COBUS_SOURCE_ROOT), as_compiled}) {
    if (file.starts_with(root)) file.remove_prefix(root.size());
  }
  while (file.starts_with("../")) file.remove_prefix(3);
  return file;
}

std::string function_name(std::string_view signature) {
  std::string text(signature);
  replace(text, "(anonymous namespace)::", "");
  replace(text, "(anonymous class)::operator()", "lambda");
  replace(text, "cobus::", "");
  if (text.ends_with(']')) text.resize(std::min(text.rfind(" ["), text.size()));
  if (const std::size_t end = text.rfind(')'); end != std::string::npos) text.resize(end + 1);
  // What is left without brackets, behind the type of the result.
  int depth = 0;
  std::string name;
  for (const char c : text) {
    if (c == '<' || c == '(') ++depth;
    if (depth == 0 && (c == ' ' || c == '*' || c == '&')) {
      name.clear();
    } else if (depth == 0) {
      name += c;
    }
    if (c == '>' || c == ')') --depth;
  }
  return name.empty() ? std::string(signature) : name;
}

}  // namespace cobus
