// SPDX-License-Identifier: Apache-2.0
#include "proto/address.hpp"

#include <array>
#include <charconv>

namespace cobus {
namespace {

template <class Integer>
bool parse_whole(std::string_view text, Integer& value, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string to_string(NodeId node) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text(16, '0');
  auto value = static_cast<std::uint64_t>(node);
  for (std::size_t i = 16; i-- > 0; value >>= 4) text[i] = digits[value & 0xf];
  return text;
}

std::string to_string(WorkerId worker) {
  return std::to_string(worker.shard()) + '.' + std::to_string(worker.index()) + '.' +
         std::to_string(worker.generation());
}

std::string to_string(const Address& address) {
  return to_string(address.node) + '/' + to_string(address.worker);
}

Result<NodeId> parse_node_id(std::string_view text) {
  std::uint64_t value = 0;
  if (text.size() != 16 || !parse_whole(text, value, 16) || value == 0) {
    return fail(Code::invalid_argument, "not a node id: '" + std::string(text) + "' (16 hexadecimal digits)");
  }
  return NodeId{value};
}

Result<WorkerId> parse_worker_id(std::string_view text) {
  std::array<std::uint32_t, 3> parts{};
  std::string_view rest = text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t dot = i + 1 < parts.size() ? rest.find('.') : rest.size();
    if (dot == std::string_view::npos || !parse_whole(rest.substr(0, dot), parts[i], 10)) {
      return fail(Code::invalid_argument,
                  "not a worker id: '" + std::string(text) + "' (SHARD.INDEX.GENERATION)");
    }
    rest.remove_prefix(dot == rest.size() ? dot : dot + 1);
  }
  if (parts[0] > 0xff || parts[1] > 0xffffff || parts[2] == 0) {
    return fail(Code::invalid_argument,
                "not a worker id: '" + std::string(text) + "' (a number is out of range)");
  }
  return WorkerId::make(parts[0], parts[1], parts[2]);
}

Result<Address> parse_address(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return fail(Code::invalid_argument,
                "not an address: '" + std::string(text) + "' (NODE/SHARD.INDEX.GENERATION)");
  }
  auto node = parse_node_id(text.substr(0, slash));
  if (!node) return fail(std::move(node).error());
  auto worker = parse_worker_id(text.substr(slash + 1));
  if (!worker) return fail(std::move(worker).error());
  return Address{*node, *worker};
}

}  // namespace cobus
