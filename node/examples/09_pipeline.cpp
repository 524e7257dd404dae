// SPDX-License-Identifier: Apache-2.0
//
// A supervised pipeline over three hosts: source -> squares -> sum. Each stage is a worker of one kind, made
// on whatever node is there (start_anywhere), and a stage asks the next one to take each item, so none runs
// ahead. The supervisor is of strategy one_for_all: when a stage or its node is lost, the others are stopped
// and all begin anew, elsewhere. A module: cobus-node --service pipeline.so on each host, then
//   cobus call pipeline.Pipeline/SumOfSquares '{"to":1000}'
#include <cobus/v1/worker.pb.h>
#include <cobus/node.hpp>
#include <cobus/service.hpp>

#include <map>
#include <memory>

#include "pipeline.cobus.h"

namespace pipeline {
namespace {

using cobus::Address;
using cobus::Self;
using cobus::Task;

constexpr const char* stage_kind = "pipeline.Stage";

Address next_of(const Stage& stage) {
  return {cobus::NodeId{stage.next_node()}, cobus::WorkerId{stage.next_worker()}};
}

Task<> source(Self self, Stage stage) {
  for (std::int64_t value = 1; value <= stage.request().to(); ++value) {
    Item item;
    item.set_value(value);
    item.set_last(value == stage.request().to());
    // When the next stage is gone this one ends as well; the supervisor hears of the first.
    auto taken = co_await cobus::call_worker<Taken>(self, next_of(stage), std::move(item));
    if (!taken) co_return self.end_with(taken.error());
    if (stage.request().pause_ms() > 0)
      static_cast<void>(co_await cobus::sleep(std::chrono::milliseconds(stage.request().pause_ms())));
  }
  static_cast<void>(co_await self.receive<Item>());  // nothing comes: it waits until it is stopped
}

Task<> squares(Self self, Stage stage) {
  for (;;) {
    auto asked = co_await self.receive<Item>();
    if (!asked) co_return;
    Item item;
    item.set_value((*asked)->value() * (*asked)->value());
    item.set_last((*asked)->last());
    auto taken = co_await cobus::call_worker<Taken>(self, next_of(stage), std::move(item));
    if (!taken) co_return self.end_with(taken.error());
    asked->reply(Taken());
  }
}

Task<> sum(Self self, Stage stage) {
  std::int64_t total = 0;
  for (;;) {
    auto asked = co_await self.receive<Item>();
    if (!asked) co_return;
    total += (*asked)->value();
    asked->reply(Taken());
    if (!(*asked)->last()) continue;
    Sum whole;
    whole.set_value(total);
    static_cast<void>(co_await self.send(next_of(stage), std::move(whole)));
  }
}

Task<> run_stage(Self self, Stage stage) {
  switch (stage.role()) {
    case Stage::SQUARES:
      return squares(self, std::move(stage));
    case Stage::SUM:
      return sum(self, std::move(stage));
    default:
      return source(self, std::move(stage));
  }
}

// What the call and its supervisor share: two workers of one shard.
struct Progress {
  SumRequest request;
  Address collector;
  std::map<Stage::Role, Address> stages;
  std::uint32_t starts = 0;
};

Task<cobus::Result<Address>> start_stage(Self supervisor, std::shared_ptr<Progress> progress,
                                         Stage::Role role) {
  if (role == Stage::SUM) ++progress->starts;  // the first of them
  Stage stage;
  stage.set_role(role);
  *stage.mutable_request() = progress->request;
  const Address next = role == Stage::SUM       ? progress->collector
                       : role == Stage::SQUARES ? progress->stages[Stage::SUM]
                                                : progress->stages[Stage::SQUARES];
  stage.set_next_node(static_cast<std::uint64_t>(next.node));
  stage.set_next_worker(next.worker.value);
  cobus::Result<Address> made = co_await cobus::start_anywhere(stage_kind, stage)(supervisor, {});
  if (made) progress->stages[role] = *made;
  co_return made;
}

cobus::SupervisorSpec supervision(std::shared_ptr<Progress> progress) {
  cobus::SupervisorSpec spec;
  spec.strategy = cobus::Strategy::one_for_all;
  spec.intensity = 10;
  spec.period = std::chrono::seconds(30);
  spec.backoff_first = std::chrono::milliseconds(100);
  // In this order, since each stage is told where the next one is.
  for (const Stage::Role role : {Stage::SUM, Stage::SQUARES, Stage::SOURCE}) {
    cobus::ChildSpec child;
    child.id = Stage::Role_Name(role);
    child.start = [progress, role](Self supervisor, const std::string&) {
      return start_stage(supervisor, progress, role);
    };
    spec.children.push_back(std::move(child));
  }
  return spec;
}

class Handler final : public PipelineService {
 public:
  Task<cobus::Result<SumReply>> SumOfSquares(cobus::Call call, SumRequest request) override {
    const Self self = call.self();
    auto progress = std::make_shared<Progress>();
    progress->request = std::move(request);
    progress->collector = self.address();
    const cobus::Spawned supervisor =
        self.spawn_monitor("pipeline.supervisor", &cobus::supervise, supervision(progress));
    auto news = co_await self.receive<Sum, cobus::v1::Down>();
    SumReply reply;
    if (news && news->as<Sum>() != nullptr) {
      reply.set_sum(news->as<Sum>()->value());
      reply.set_starts(progress->starts);
      for (const auto& [role, address] : progress->stages) {
        const auto peer = self.node().peer(address.node);
        reply.add_nodes(peer ? peer->name : self.node().name());
      }
    }
    self.exit(supervisor.address, cobus::exit_reason::shutdown("the sum is known"));
    if (!news) co_return cobus::fail(news.error());
    if (const auto* down = news->as<cobus::v1::Down>())
      co_return cobus::fail(cobus::Code::unavailable, "the pipeline ended: " + down->reason().message());
    co_return reply;
  }
};

}  // namespace
}  // namespace pipeline

COBUS_WORKER("pipeline.Stage", &pipeline::run_stage);
COBUS_SERVICE(pipeline::Handler);
