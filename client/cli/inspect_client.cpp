// SPDX-License-Identifier: Apache-2.0
#include "client/cli/inspect_client.hpp"

#include <fmt/format.h>

#include "client/cli/run.hpp"

namespace cobus::client {
namespace {

constexpr const char* service = "cobus.v1.Inspect";
constexpr std::size_t shown_max = 80;  // of what is not an address

}  // namespace

Result<WorkerPlace> parse_worker_place(const std::string& text) {
  const auto malformed = [&] {
    return fail(
        Code::invalid_argument,
        fmt::format("'{}' is not the address of a worker: write NODE/SHARD.INDEX.GENERATION as cobus ps "
                    "prints it, or NODE/NAME; for example alpha/1.8.3",
                    printable(text.substr(0, shown_max))));
  };
  const std::size_t slash = text.find('/');
  if (slash == 0 || slash == std::string::npos || slash + 1 == text.size()) return malformed();
  WorkerPlace place{text.substr(0, slash), {}, {}};
  const std::string worker = text.substr(slash + 1);
  if (const auto id = parse_worker_id(worker); id && *id) {
    place.worker = *id;
  } else if (worker.find_first_not_of("0123456789.") == std::string::npos) {
    return malformed();
  } else {
    place.name = worker;
  }
  return place;
}

Result<std::vector<v1::NodeRecord>> nodes_to_inspect(const View& view,
                                                     const std::optional<std::string>& word) {
  if (word) {
    auto record = running_node(view, *word);
    if (!record) return fail(std::move(record).error());
    return std::vector{std::move(*record)};
  }
  auto nodes = view.providers(service);
  if (!nodes.empty()) return nodes;
  return fail(Code::unavailable, "no node is up, so there are no workers to see; start one with: cobus-node");
}

CallOptions inspect_options(Duration timeout) {
  CallOptions options;
  options.timeout = timeout;
  options.flags = v1::HIDDEN;
  return options;
}

void Answers::failed(const std::string& node, const Status& why) {
  if (why.code() == Code::permission_denied || why.code() == Code::unauthenticated) {
    refused_ = why;
  } else {
    missing_.push_back(fmt::format("node {}: {}", node, printable(why.message())));
  }
}

void Answers::lacks(const std::string& node, std::uint32_t shard) {
  missing_.push_back(fmt::format(
      "shard {} of node {}, which does not answer: a worker holds it, as the node's log says", shard, node));
}

int Answers::finish(const std::string& verb) {
  if (!refused_.ok()) return fail_call(context_, verb, refused_);
  for (const std::string& what : missing_) context_.console.error("the list lacks the workers of " + what);
  return missing_.empty() ? 0 : setup_exit_code({Code::unavailable, ""});
}

}  // namespace cobus::client
