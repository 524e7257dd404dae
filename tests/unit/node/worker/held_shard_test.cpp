// SPDX-License-Identifier: Apache-2.0
//
// Two nodes as daemons have them, on real threads and sockets, one of which holds its own first shard, where
// the link is attended to, for longer than a peer may be silent.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "echo.cobus.h"
#include "node/link/zmq_transport.hpp"
#include "node/worker/node.hpp"
#include "proto/limits.hpp"
#include "tests/support/echo_messages.hpp"
#include "tests/support/identity.hpp"

namespace cobus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Neighbour final : public PeerListener {
 public:
  Neighbour(const link::ClusterSecret& cluster, const std::string& name) {
    link::Identity identity = link::identity_now(cluster, name);
    key_ = identity.pair.key;
    auto opened = link::ZmqTransport::open({.own = {key_, identity.pair.secret.clone()},
                                            .listen = "tcp://127.0.0.1:0",
                                            .access = {},
                                            .test_door = false});
    EXPECT_TRUE(opened.has_value());
    transport_ = std::move(*opened);
    NodeOptions options;
    options.name = name;
    options.shards = 2;
    node = std::make_unique<Node>(std::move(options), *transport_, std::move(identity));
    node->add_peer_listener(this);
    node->start();
  }
  ~Neighbour() override { node->stop(Duration(0)); }
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;

  void greet(const Neighbour& other) {
    node->links().learn(other.node->id(), {other.transport_->listening()}, other.key_);
    node->spawn(
        "greet",
        +[](Self self, NodeId to) -> Task<> {
          static_cast<void>(self.send_to_name(to, "anybody", say("hello")));
          co_return;
        },
        other.node->id());
  }
  void on_peer_up(const link::PeerInfo& /*peer*/, link::TargetId /*target*/) override { ++ups; }
  void on_peer_down(const link::PeerInfo& /*peer*/, const Status& /*reason*/) override { ++downs; }

  std::unique_ptr<Node> node;
  std::atomic<int> ups{0};
  std::atomic<int> downs{0};

 private:
  link::CurveKey key_;
  std::unique_ptr<link::ZmqTransport> transport_;
};

TEST(HeldShard, W4_AShardThatIsHeldDoesNotMakeItsNodeLookDead) {
  const link::ClusterSecret cluster = link::ClusterSecret::make();
  Neighbour held(cluster, "held");
  Neighbour other(cluster, "other");
  other.greet(held);
  const TimePoint end = system_clock().now() + seconds(20);
  while ((held.ups == 0 || other.ups == 0) && system_clock().now() < end)
    std::this_thread::sleep_for(milliseconds(5));
  ASSERT_EQ(held.ups + other.ups, 2);
  std::promise<void> let_go;
  held.node->run_on(0, [&let_go](Home& /*home*/) {
    std::this_thread::sleep_for(limits::down_after + seconds(2));
    let_go.set_value();
  });
  let_go.get_future().wait();
  EXPECT_EQ(held.downs + other.downs, 0);
}

}  // namespace
}  // namespace cobus
