// SPDX-License-Identifier: Apache-2.0
#include "client/cli/schema_fetch.hpp"

#include <cobus/v1/observe.cobus.h>
#include <fmt/format.h>

#include <algorithm>

#include "node/runtime/scope.hpp"

namespace cobus::client {
namespace {

constexpr Duration patience = std::chrono::seconds(5);
constexpr Duration patience_with_one = std::chrono::seconds(1);  // with one node, when others have answered
constexpr Duration round_time = std::chrono::milliseconds(500);  // then another node is asked as well

bool has(const v1::NodeRecord& node, const std::string& digest) {
  return std::ranges::any_of(node.services(), [&digest](const v1::ServiceRecord& service) {
    return service.schema_digest() == digest;
  });
}

}  // namespace

bool SchemaFetch::done() const {
  if (!first_.empty()) return versions_.has(first_);
  return std::ranges::all_of(wanted_, [this](const std::string& digest) { return versions_.has(digest); });
}

// For each digest that is missing the next node that has it.
std::map<std::size_t, std::vector<std::string>> SchemaFetch::next_round() {
  std::map<std::size_t, std::vector<std::string>> round;
  for (const std::string& digest : wanted_) {
    if (versions_.has(digest)) continue;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!has(nodes_[i], digest) || !asked_.emplace(i, digest).second) continue;
      round[i].push_back(digest);
      break;
    }
  }
  return round;
}

void SchemaFetch::take(const std::string& node, const v1::FetchSchemaReply& reply) {
  for (const v1::Schema& schema : reply.schemas()) {
    if (!wanted_.contains(schema.digest()) || versions_.has(schema.digest())) continue;
    if (schema_digest(schema.files()) != schema.digest()) {
      doubtful_.emplace(schema.digest(), schema);  // unless another node has what the digest says
      continue;
    }
    const Status added = versions_.add(schema.digest(), schema.files());
    if (added.ok()) {
      cache_.store(schema.digest(), schema.files());
    } else {
      problems_.insert_or_assign(node, added);
    }
  }
}

Task<> SchemaFetch::ask(Self self, std::size_t index, std::vector<std::string> digests) {
  const v1::NodeRecord& node = nodes_[index];
  v1::FetchSchemaRequest request;
  for (std::string& digest : digests) request.add_digests(std::move(digest));
  CallOptions options;
  options.timeout = patience;
  options.flags = v1::HIDDEN;
  auto reply = co_await v1::SchemasStub(self, NodeId{node.node()}).Fetch(std::move(request), options);
  if (reply) {
    answered_ = true;
    problems_.erase(node.name());
    take(node.name(), *reply);
  } else {
    problems_.insert_or_assign(node.name(), reply.error());
  }
  --running_;
  changed_.notify();
}

Task<> SchemaFetch::run(Self self, std::set<std::string> digests, std::string first) {
  wanted_ = std::move(digests);
  first_ = std::move(first);
  for (const std::string& digest : wanted_) {
    if (versions_.has(digest)) continue;
    // With one version at hand another one is waited for no longer than when a node had answered.
    if (const auto files = cache_.load(digest)) answered_ = versions_.add(digest, *files).ok() || answered_;
  }
  const TimePoint begun = self.node().clock().now();
  TimePoint next = begun;
  Scope asks;
  while (!done() && !self.stop_requested()) {
    const TimePoint now = self.node().clock().now();
    if (now >= next || running_ == 0) {
      next = now + round_time;
      auto round = next_round();
      if (round.empty() && running_ == 0) break;
      for (auto& [index, missing] : round) {
        ++running_;
        problems_.try_emplace(nodes_[index].name(), Status(Code::unavailable, "no answer in time"));
        asks.spawn(ask(self, index, std::move(missing)));
      }
      if (running_ == 0) continue;
    }
    const TimePoint end = begun + (answered_ ? patience_with_one : patience);
    if (now >= end) break;
    static_cast<void>(co_await changed_.wait(std::min(next, end) - now));
  }
  for (const auto& [digest, schema] : doubtful_) static_cast<void>(versions_.add(digest, schema.files()));
}

}  // namespace cobus::client
