// SPDX-License-Identifier: Apache-2.0
#include "node/worker/local_node.hpp"

#include <algorithm>
#include <thread>

namespace cobus {
namespace {

NodeOptions options_of(unsigned shards) {
  NodeOptions options;
  options.name = "here";
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  options.shards = shards == 0 ? cores : shards;
  options.pool_threads = std::max(2U, cores);
  return options;
}

link::Identity nobody() {
  link::Identity identity;
  identity.pair = link::make_curve_pair();
  return identity;
}

}  // namespace

LocalNode::LocalNode(unsigned shards) : node_(options_of(shards), transport_, nobody()) { node_.start(); }
LocalNode::~LocalNode() { node_.stop(Duration(0)); }

}  // namespace cobus
