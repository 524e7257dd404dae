// SPDX-License-Identifier: Apache-2.0
#include "broker/node_name.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace cobus::broker {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_allowed(char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; }

}  // namespace

Status check_node_name(std::string_view name) {
  if (name.empty()) return {Code::invalid_argument, "a node needs a name: give it one with --name"};
  if (name.size() > node_name_length_max) {
    return {Code::invalid_argument, fmt::format("the name {}... has {} characters; at most {} are allowed",
                                                name.substr(0, 16), name.size(), node_name_length_max)};
  }
  if (!is_alphanumeric(name.front()) || !std::ranges::all_of(name, is_allowed)) {
    std::string shown(name);
    std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, '?');
    return {Code::invalid_argument,
            fmt::format(
                "\"{}\" cannot be a name: letters, digits, '.', '_' and '-' are allowed, with a letter or "
                "digit first",
                shown)};
  }
  return {};
}

Status name_is_held(std::string_view name, const link::CurveKey& holder, const link::CurveKey& key) {
  return {Code::already_exists,
          fmt::format(
              "the name {} is held by key {}, so key {} cannot have it: choose another --name, or stop the "
              "other node",
              name, link::short_fingerprint(holder), link::short_fingerprint(key))};
}

}  // namespace cobus::broker
