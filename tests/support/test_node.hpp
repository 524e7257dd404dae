// SPDX-License-Identifier: Apache-2.0
//
// TestNode: one node without a network, stepped by the test on a manual clock.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "node/link/sim_transport.hpp"
#include "node/worker/node.hpp"

namespace cobus {

class TestNode : public ::testing::Test {
 protected:
  explicit TestNode(unsigned shards = 1, v1::Role role = v1::NODE) {
    link::Identity identity;
    transport_ = network_.attach("here", "", identity.pair.key);
    NodeOptions options;
    options.name = "here";
    options.role = role;
    options.shards = shards;
    options.pool_threads = 0;
    options.clock = &network_.clock();
    options.random = &network_.random();
    node_ = std::make_unique<Node>(std::move(options), *transport_, std::move(identity));
  }

  void step() {
    while (node_->step()) {
    }
    node_->step();
  }
  void advance(Duration time) {
    network_.clock().advance(time);
    step();
  }
  // The session with another node ends, as the link tells it.
  void lose(NodeId node) {
    link::PeerInfo peer;
    peer.node = node;
    node_->on_peer_down(peer, Status(Code::unavailable, "it is gone"));
    step();
  }
  template <class Function, class... Arguments>
  void spawn(Function function, Arguments... arguments) {
    node_->spawn("test", function, std::move(arguments)...);
    step();
  }
  // A worker on that shard.
  template <class Function, class... Arguments>
  void spawn_on(unsigned shard, Function function, Arguments... arguments) {
    node_->run_on(shard, [function, ... given = std::move(arguments)](Home& home) mutable {
      auto body = function;
      home.spawn("test", body, std::move(given)...);
    });
    step();
  }
  std::size_t workers() {
    std::size_t count = 0;
    for (unsigned i = 0; i < node_->shards(); ++i) count += node_->home(i).workers();
    return count;
  }

  link::SimNetwork network_{1};
  std::unique_ptr<link::Transport> transport_;
  std::unique_ptr<Node> node_;
};

}  // namespace cobus
