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
#include "tests/support/identity.hpp"

namespace cobus::bench {

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
      : BenchNode("bench", link::identity_now(link::ClusterSecret::make(), "bench"), "", shards) {}
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
