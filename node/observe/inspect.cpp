// SPDX-License-Identifier: Apache-2.0
#include "node/observe/inspect.hpp"

#include <cobus/v1/inspect.cobus.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "node/observe/every_shard.hpp"
#include "node/observe/health.hpp"
#include "node/observe/services.hpp"
#include "node/observe/top.hpp"
#include "node/observe/worker_details.hpp"
#include "node/observe/worker_tree.hpp"
#include "node/runtime/offload.hpp"

namespace cobus {
namespace {

constexpr Duration patience = std::chrono::seconds(2);  // with a shard that does not answer
constexpr std::uint64_t window_us_max = 60'000'000;
constexpr std::uint32_t rows_usual = 20;
constexpr std::uint32_t rows_max = 1000;  // some 150 bytes each
constexpr std::uint32_t lines_usual = 500;
constexpr std::uint32_t lines_max = 2000;

using NameOf = std::function<std::string(NodeId)>;

// Lives as long as the service, which outlives all that run here.
struct Known {
  KnownTypes types;
  NameOf name_of;
};

// What there is to say of one worker, or that it is gone.
Task<Result<v1::ShowReply>> show_here(Self self, WorkerId id, const Known* known) {
  Home& home = self.worker().home();
  if (const Worker* worker = home.find(id)) {
    co_return worker_details(home, *worker, known->types, known->name_of);
  }
  const std::string name = self.node().name() + '/' + to_string(id);
  if (home.has_ended(id)) co_return fail(Code::not_found, fmt::format("worker {} has ended", name));
  co_return fail(Code::not_found, fmt::format("there never was a worker {}", name));
}

class InspectService final : public v1::InspectService {
 public:
  InspectService(Node& node, NameOf name_of, std::function<void(v1::HealthReply&)> add_health)
      : node_(node), known_{known_types(node), std::move(name_of)}, add_health_(std::move(add_health)) {}

  Task<Result<v1::TopReply>> Top(Call call, v1::TopRequest request) override {
    TopQuery query;
    query.order = request.order();
    query.limit = request.limit() == 0 ? rows_usual : std::min(request.limit(), rows_max);
    query.window = std::chrono::microseconds(std::min(request.window_us(), window_us_max));
    const std::vector<unsigned> shards = every_shard(node_);
    auto of_shards = co_await on_shards(call.self(), shards, query.window + patience, &top_of_shard, query);
    v1::TopReply reply;
    for (std::size_t place = 0; place < shards.size(); ++place) {
      if (of_shards[place]) {
        merge_top(reply, std::move(*of_shards[place]), query);
      } else {
        reply.add_silent_shards(shards[place]);
      }
    }
    co_return reply;
  }

  Task<Result<v1::ShowReply>> Show(Call call, v1::ShowRequest request) override {
    WorkerId id{request.worker()};
    if (!request.name().empty()) {
      id = node_.whereis(request.name()).worker;
      if (!id) {
        co_return fail(Code::not_found,
                       fmt::format("no worker of {} is registered as '{}'", node_.name(), request.name()));
      }
    }
    if (!id || id.shard() >= node_.shards()) {
      co_return fail(Code::not_found,
                     fmt::format("there never was a worker {}/{}", node_.name(), to_string(id)));
    }
    auto shown = co_await on_shards(call.self(), {id.shard()}, patience, &show_here, id,
                                    static_cast<const Known*>(&known_));
    if (shown.front()) co_return std::move(*shown.front());
    co_return fail(
        Code::unavailable,
        fmt::format("shard {} of node {} does not answer: a worker holds it, as the node's log says",
                    id.shard(), node_.name()));
  }

  Task<Result<v1::TreeReply>> Tree(Call call, v1::TreeRequest request) override {
    const std::vector<unsigned> shards = every_shard(node_);
    auto of_shards = co_await on_shards(call.self(), shards, patience, &tree_of_shard);
    std::vector<unsigned> silent;
    for (std::size_t place = 0; place < shards.size(); ++place) {
      if (!of_shards[place]) silent.push_back(shards[place]);
    }
    const std::size_t lines = request.limit() == 0 ? lines_usual : std::min(request.limit(), lines_max);
    auto reply = co_await offload([of_shards = std::move(of_shards), lines]() mutable {
      TreeEntries entries;
      for (std::optional<TreeEntries>& given : of_shards) {
        if (given) entries.add(std::move(*given));
      }
      return make_tree(std::move(entries), lines);
    });
    if (!reply) co_return fail(std::move(reply).error());
    reply->mutable_silent_shards()->Add(silent.begin(), silent.end());
    for (v1::TreeLine& line : *reply->mutable_lines()) {
      if (line.node() != 0) line.set_node_name(known_.name_of(NodeId{line.node()}));
    }
    co_return reply;
  }

  Task<Result<v1::HealthReply>> Health(Call /*call*/, v1::HealthRequest /*request*/) override {
    v1::HealthReply reply = health_of(node_);
    if (add_health_) add_health_(reply);
    co_return reply;
  }

  Task<Result<v1::ReachReply>> Reach(Call call, v1::ReachRequest request) override {
    co_return co_await reach(call.self(), std::move(request));
  }

 private:
  Node& node_;
  const Known known_;
  const std::function<void(v1::HealthReply&)> add_health_;
};

}  // namespace

std::unique_ptr<Service> make_inspect_service(Node& node, NameOf name_of,
                                              std::function<void(v1::HealthReply&)> add_health) {
  return std::make_unique<InspectService>(node, std::move(name_of), std::move(add_health));
}

}  // namespace cobus
