// SPDX-License-Identifier: Apache-2.0
//
// ZmqWorld: participants with Links over real sockets, CURVE on loopback and the system's clock, driven by
// the thread of the test.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "node/link/zmq_transport.hpp"
#include "tests/support/identity.hpp"
#include "tests/unit/node/link/link_world.hpp"

namespace cobus::link {

struct ZmqWorld : testing::Test {
  ClusterSecret cluster = ClusterSecret::make();

  // Certificates hold now, so the one of the simulated world does not do.
  void make(LinkNode& node, const std::string& name, std::uint64_t id, bool certified = true) const {
    Identity identity = identity_now(cluster, name);
    if (!certified) identity.certificate = {};
    node.id = NodeId{id};
    node.key = identity.pair.key;
    auto transport = ZmqTransport::open({.own = {node.key, identity.pair.secret.clone()},
                                         .listen = "tcp://127.0.0.1:0",
                                         .access = {},
                                         .test_door = false});
    ASSERT_TRUE(transport.has_value()) << transport.error().to_string();
    node.endpoint = (*transport)->listening();
    node.transport = std::move(*transport);
    LinkOptions options;
    options.node = node.id;
    options.incarnation = id;
    options.name = name;
    node.links = std::make_unique<Links>(*node.transport, system_clock(), system_random(), node,
                                         std::move(identity), std::move(options));
  }
  static bool run(LinkNode& a, LinkNode& b, const std::function<bool()>& done) {
    const TimePoint end = system_clock().now() + std::chrono::seconds(20);
    while (!done()) {
      if (system_clock().now() > end) return false;
      a.links->poll(std::chrono::milliseconds(1));
      b.links->poll(std::chrono::milliseconds(1));
    }
    return true;
  }
};

}  // namespace cobus::link
