// SPDX-License-Identifier: Apache-2.0
//
// LinkWorld: a cluster of Links on a SimNetwork, for the tests of the link layer. Everybody runs in one
// thread on simulated time; run() polls all of them at every moment at which something is due.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node/link/links.hpp"
#include "node/link/sim_transport.hpp"
#include "proto/limits.hpp"

namespace cobus::link {

inline constexpr std::int64_t world_start_s = 1'700'000'000;

// A certificate for `key` from `cluster`.
inline v1::Certificate certify(const ClusterSecret& cluster, const std::string& name, v1::Role role,
                               const CurveKey& key) {
  v1::CertificateBody body;
  body.set_name(name);
  body.set_role(role);
  body.set_curve_key(key.bytes.data(), key.bytes.size());
  body.set_serial(1);
  body.set_not_before(world_start_s - 60);
  body.set_not_after(world_start_s + 86'400);
  return cluster.sign(body);
}

// One envelope as a chunk; `number` comes back to the receiver as the call id.
inline std::string one_envelope(std::uint64_t number, std::string_view payload = "x") {
  std::string chunk;
  append_envelope(chunk, EnvelopeHeader{.to = 7, .kind = v1::MESSAGE, .type = 9, .call = number}, payload);
  return chunk;
}

// A participant and all that its Links told it.
struct LinkNode final : LinkEvents {
  struct Got {
    NodeId from;
    std::uint64_t number;
    std::size_t session;  // how many sessions there had been by then
  };
  struct Returned {
    NodeId node;
    std::string chunk;
    Status reason;
  };

  void on_peer_up(const PeerInfo& peer, TargetId target) override {
    ups.emplace_back(peer, target);
    connected.push_back(peer.node);
    if (told) told("up");
  }
  void on_peer_closing(const PeerInfo& /*peer*/, const Status& /*reason*/) override {
    if (told) told("closing");
  }
  void on_peer_down(const PeerInfo& peer, const Status& reason) override {
    if (told) told("down");
    downs.emplace_back(peer, reason);
    std::erase(connected, peer.node);
  }
  void on_peer_suspected(const PeerInfo& peer, bool is) override { suspected.emplace_back(peer.node, is); }
  [[nodiscard]] Status on_frame_end(const PeerInfo& /*peer*/) override { return at_frame_end; }
  Status at_frame_end;
  void on_envelope(const PeerInfo& peer, const EnvelopeView& envelope, FrameIn /*frame*/) override {
    got.push_back({peer.node, envelope.header.call, ups.size()});
    if (react) react(peer, envelope);
  }
  void on_undeliverable(NodeId node, std::string_view chunk, const Status& reason) override {
    if (told) told("undeliverable");
    returned.push_back({node, std::string(chunk), reason});
  }
  void on_unacknowledged(NodeId node, std::string_view chunk, const Status& reason) override {
    if (told) told("unacknowledged");
    unacknowledged.push_back({node, std::string(chunk), reason});
  }
  void on_drained(NodeId node, const Status& how) override { drained.emplace_back(node, how.code()); }
  void on_target_failed(TargetId, const Status& reason) override { target_failures.push_back(reason); }
  void on_enrolled(const v1::Certificate& certificate) override {
    enrolled.push_back(certificate);
    if (told) told("enrolled");
  }

  [[nodiscard]] bool sees(const LinkNode& other) const {
    return std::ranges::count(connected, other.id) == 1;
  }
  void send(const LinkNode& to, std::uint64_t number) const { links->submit(to.id, one_envelope(number)); }
  void know(const LinkNode& other) const { links->learn(other.id, {other.endpoint}, other.key); }

  NodeId id = NodeId::none;
  CurveKey key;
  std::string host;
  std::string endpoint;
  std::vector<std::pair<PeerInfo, TargetId>> ups;
  std::vector<std::pair<PeerInfo, Status>> downs;
  std::vector<NodeId> connected;
  std::vector<std::pair<NodeId, bool>> suspected;
  std::vector<Got> got;
  std::vector<Returned> returned;
  std::vector<Returned> unacknowledged;
  std::vector<std::pair<NodeId, Code>> drained;
  std::vector<Status> target_failures;
  std::vector<v1::Certificate> enrolled;
  std::function<void(const PeerInfo&, const EnvelopeView&)> react;
  std::function<void(std::string_view what)> told;  // called inside what Links tells
  std::unique_ptr<Transport> transport;
  std::unique_ptr<Links> links;  // ends before its transport
};

// Enrols at once; see LinkNodeOptions::begin_enrolment for who takes its time.
using EnrolAtOnce = std::function<Result<v1::Certificate>(const v1::Hello& hello, const CurveKey& key)>;

struct LinkNodeOptions {
  std::string name = {};
  std::string endpoint = {};
  std::uint64_t id = 0;
  v1::Role role = v1::NODE;  // ROLE_UNSPECIFIED: has no certificate
  std::string token = {};
  EnrolAtOnce enroller = {};
  Enroller begin_enrolment = {};             // instead
  const ClusterSecret* signer = nullptr;     // of the certificate; null: the cluster of the world
  const ClusterSecret* member_of = nullptr;  // what it takes for the cluster; null: the cluster of the world
};

// Where participants may live.
inline constexpr char endpoint_a[] = "tcp://10.0.0.1:7000";
inline constexpr char endpoint_b[] = "tcp://10.0.0.2:7000";
inline constexpr char endpoint_c[] = "tcp://10.0.0.3:7000";

// The numbers of the envelopes that came, and what they should be when all of so many did, in order.
inline std::vector<std::uint64_t> numbers(const LinkNode& node) {
  std::vector<std::uint64_t> all;
  for (const LinkNode::Got& got : node.got) all.push_back(got.number);
  return all;
}
inline std::vector<std::uint64_t> up_to(std::uint64_t count) {
  std::vector<std::uint64_t> all(count);
  for (std::uint64_t i = 0; i < count; ++i) all[i] = i;
  return all;
}

class LinkWorld {
 public:
  explicit LinkWorld(std::uint64_t seed = 1, SimOptions options = {}) : network(seed, options) {}

  // The node's name is also its host's. A broker's key is that of the cluster.
  std::unique_ptr<LinkNode> make(const LinkNodeOptions& options) {
    auto node = std::make_unique<LinkNode>();
    const ClusterSecret& member_of = options.member_of != nullptr ? *options.member_of : cluster;
    Identity identity{
        options.role == v1::BROKER ? member_of.broker_pair() : make_curve_pair(), member_of.key(), {}};
    if (options.role != v1::ROLE_UNSPECIFIED) {
      const ClusterSecret& signer = options.signer != nullptr ? *options.signer : member_of;
      identity.certificate = certify(signer, options.name, options.role, identity.pair.key);
    }
    node->id = NodeId{options.id};
    node->key = identity.pair.key;
    node->host = options.name;
    node->endpoint = options.endpoint;
    node->transport = network.attach(node->host, options.endpoint, node->key);
    LinkOptions link;
    link.node = node->id;
    link.incarnation = options.id;
    link.name = options.name;
    link.token = options.token;
    link.enroller = options.begin_enrolment;
    if (options.enroller) {
      link.enroller = [at = node.get(), enrol = options.enroller](const v1::Hello& hello, const CurveKey& key,
                                                                  ConnectionId connection) {
        at->links->enrolled(connection, enrol(hello, key));
      };
    }
    node->links = std::make_unique<Links>(*node->transport, network.clock(), network.random(), *node,
                                          std::move(identity), std::move(link));
    return node;
  }
  LinkNode& add(const LinkNodeOptions& options) { return *nodes.emplace_back(make(options)); }
  // Ends the process, as kill -9 would.
  void kill(const LinkNode& node) {
    std::erase_if(nodes, [&](const auto& each) {
      if (each.get() != &node) return false;
      network.kill(each->host);
      return true;
    });
  }

  // Everybody does what is due now.
  void poll() {
    for (const auto& node : nodes) node->links->poll(Duration(0));
    if (also_poll) also_poll();
  }
  // Runs for `span`, or until `done` (if given). True when done.
  bool run(Duration span, const std::function<bool()>& done = nullptr) {
    const TimePoint end = network.clock().now() + span;
    for (;;) {
      poll();
      if (done && done()) return true;
      TimePoint next = network.next_event();
      for (const auto& node : nodes) next = std::min(next, node->links->next_due());
      if (next > end) {
        network.clock().advance_to(end);
        return false;
      }
      // A moment at least, so that whoever has always something to do does not stop the time.
      network.clock().advance_to(std::max(next, network.clock().now() + std::chrono::microseconds(1)));
    }
  }

  SimNetwork network;
  std::function<void()> also_poll;  // for who takes part without Links
  ClusterSecret cluster = ClusterSecret::make();
  std::vector<std::unique_ptr<LinkNode>> nodes;  // end before the network
};

// Two nodes that can dial each other.
struct LinkPair : testing::Test {
  LinkWorld world;
  LinkNode& a = world.add({.name = "alpha", .endpoint = endpoint_a, .id = 1});
  LinkNode& b = world.add({.name = "beta", .endpoint = endpoint_b, .id = 2});

  // Brings up a session from a to b, with nothing under way in it.
  void connect() {
    a.know(b);
    a.send(b, 0);
    ASSERT_TRUE(world.run(std::chrono::seconds(5), [&] { return !b.got.empty(); }));
    ASSERT_TRUE(a.sees(b) && b.sees(a));
    world.run(2 * limits::acknowledge_after);
    b.got.clear();
  }
};

}  // namespace cobus::link
