// SPDX-License-Identifier: Apache-2.0
#include "node/observe/health.hpp"

#include <cobus/v1/inspect.cobus.h>

#include <algorithm>
#include <filesystem>

#include "node/observe/log.hpp"
#include "node/runtime/descriptor_limit.hpp"
#include "node/runtime/scope.hpp"

namespace cobus {
namespace {

constexpr Duration patience = std::chrono::seconds(3);
constexpr int nodes_max = 1000;

Task<> ask(Self self, NodeId node, v1::Reached* reached) {
  const TimePoint started = self.node().clock().now();
  CallOptions options;
  options.timeout = patience;
  options.flags = v1::HIDDEN;
  const auto reply = co_await v1::InspectStub(self, node).Health({}, std::move(options));
  const Status status = reply ? Status() : reply.error();
  reached->set_took_us(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(self.node().clock().now() - started).count()));
  reached->set_code(static_cast<std::int32_t>(status.code()));
  reached->set_message(status.message());
}

}  // namespace

v1::HealthReply health_of(Node& node) {
  v1::HealthReply health;
  health.set_now_us(node.clock().unix_us());
  std::error_code error;
  const std::filesystem::directory_iterator open("/proc/self/fd", error);
  if (!error) health.set_descriptors(static_cast<std::uint64_t>(std::distance(begin(open), end(open))));
  health.set_descriptors_max(descriptor_limit());
  health.set_log_lines_dropped(log_lines_dropped());
  v1::CertificateBody body;
  if (const auto own = node.links().certificate(); own && body.ParseFromString(own->body())) {
    health.set_certificate_from(body.not_before());
    health.set_certificate_until(body.not_after());
  }
  return health;
}

Task<v1::ReachReply> reach(Self self, v1::ReachRequest request) {
  v1::ReachReply reply;
  const int count = std::min(request.nodes_size(), nodes_max);
  for (int i = 0; i < count; ++i) reply.add_nodes()->set_node(request.nodes(i));
  Scope asked;
  for (v1::Reached& reached : *reply.mutable_nodes())
    asked.spawn(ask(self, NodeId{reached.node()}, &reached));
  static_cast<void>(co_await asked.join());
  co_return reply;
}

}  // namespace cobus
