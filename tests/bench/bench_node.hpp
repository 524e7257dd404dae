// SPDX-License-Identifier: Apache-2.0
//
// BenchNode: a node as a daemon has it (threads, links, libzmq with CURVE) without a broker: whoever
// measures knows the other node's address and makes the certificates.
#pragma once

#include <spdlog/spdlog.h>

#include <future>
#include <memory>
#include <string>
#include <utility>

#include "node/link/zmq_transport.hpp"
#include "node/worker/node.hpp"
#include "tests/bench/figure.hpp"

namespace cobus::bench {

// A key pair with the certificate of `cluster` for a node called `name`.
inline link::Identity make_identity(const link::ClusterSecret& cluster, const std::string& name) {
  link::Identity identity;
  identity.pair = link::make_curve_pair();
  identity.cluster = cluster.key();
  const std::int64_t now_s = system_clock().unix_us() / 1'000'000;
  v1::CertificateBody body;
  body.set_name(name);
  body.set_role(v1::NODE);
  body.set_curve_key(std::string(identity.pair.key.bytes.begin(), identity.pair.key.bytes.end()));
  body.set_serial(1);
  body.set_not_before(now_s - 60);
  body.set_not_after(now_s + 3600);
  identity.certificate = cluster.sign(body);
  return identity;
}

class BenchNode {
 public:
  // With a door when `listen` is not empty. The name is that of the certificate.
  BenchNode(const std::string& name, link::Identity identity, const std::string& listen, unsigned shards) {
    spdlog::set_level(spdlog::level::err);  // on a busy machine shards are held up; the figures show it
    link::ZmqTransportOptions options;
    options.own = link::CurvePair{identity.pair.key, identity.pair.secret.clone()};
    options.listen = listen;
    auto opened = link::ZmqTransport::open(options);
    if (!opened) give_up(opened.error().to_string());
    transport_ = std::move(*opened);
    NodeOptions node;
    node.name = name;
    node.shards = shards;
    node_ = std::make_unique<Node>(std::move(node), *transport_, std::move(identity));
  }
  // A node by itself.
  explicit BenchNode(unsigned shards)
      : BenchNode("bench", make_identity(link::ClusterSecret::make(), "bench"), "", shards) {}
  ~BenchNode() { node_->stop(Duration(0)); }
  BenchNode(const BenchNode&) = delete;
  BenchNode& operator=(const BenchNode&) = delete;

  [[nodiscard]] Node& node() noexcept { return *node_; }
  [[nodiscard]] std::string listening() const { return transport_->listening(); }

  // Runs `function(self, arguments...)` as a worker and gives what it found out.
  template <class Function, class... Arguments>
  auto run(Function function, Arguments... arguments) {
    using Value = decltype(std::declval<std::invoke_result_t<Function, Self, Arguments...>>()
                               .operator co_await()
                               .await_resume());
    std::promise<Value> result;
    node_->spawn("bench", &fulfil<Value, Function, Arguments...>, &result, function, std::move(arguments)...);
    return result.get_future().get();
  }

 private:
  template <class Value, class Function, class... Arguments>
  static Task<> fulfil(Self self, std::promise<Value>* result, Function function, Arguments... arguments) {
    Value value = co_await function(self, std::move(arguments)...);
    result->set_value(std::move(value));
  }

  std::unique_ptr<link::ZmqTransport> transport_;
  std::unique_ptr<Node> node_;
};

}  // namespace cobus::bench
