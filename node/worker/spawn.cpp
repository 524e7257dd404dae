// SPDX-License-Identifier: Apache-2.0
#include "node/worker/spawn.hpp"

#include <cobus/v1/worker.pb.h>

#include <algorithm>

#include "node/worker/exit_reason.hpp"
#include "node/worker/node.hpp"

namespace cobus {
namespace {

// One request to make a worker. When its answer comes, the spawner is bound to the new worker before anything
// else that the worker causes is looked at. Whoever no longer waits leaves it behind: it then kills what was
// made and goes.
class Request final : public PendingCall {
 public:
  class Wait;

  Request(Self spawner, NodeId node, std::uint64_t monitor, bool link) noexcept
      : home_(spawner.worker().home()),
        spawner_(spawner),
        worker_(spawner.worker().id),
        monitor_(monitor),
        link_(link) {
    callee = node;
  }
  void answered(EnvelopePtr envelope) noexcept override;
  void abandon() noexcept { waiting_ = nullptr; }

 private:
  [[nodiscard]] Shown shown() const noexcept override { return {worker_, "cobus.v1.Workers/Spawn"}; }
  [[nodiscard]] Result<Spawned> outcome(Envelope& envelope) const;

  Home& home_;
  const Self spawner_;  // while somebody waits
  const WorkerId worker_;
  const std::uint64_t monitor_;
  const bool link_;
  Wait* waiting_ = nullptr;
};

class Request::Wait final : Waiting {
 public:
  static constexpr AwaitKind awaits = AwaitKind::answer;
  Wait(Self self, NodeId node, EnvelopePtr request, SpawnOptions options) noexcept
      : self_(self), node_(node), envelope_(std::move(request)), options_(options) {}
  ~Wait() {
    if (request_ != nullptr) request_->abandon();
  }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> coroutine) {
    Home& home = self_.worker().home();
    const TimePoint until = deadline_after(home.shard().clock().now(), options_.timeout);
    if (!park(coroutine, until)) return false;
    auto& message = static_cast<TypedEnvelope<v1::SpawnRequest>&>(*envelope_).body;
    if (options_.monitor) message.set_monitor(home.new_monitor());
    request_ = new Request(self_, node_, message.monitor(), options_.link);
    request_->waiting_ = this;
    home.add_call(*request_);
    envelope_->kind = v1::REQUEST;
    envelope_->from = self_.address();
    envelope_->call = request_->id;
    envelope_->deadline = until;
    envelope_->extra().to_name = "cobus.v1.Workers/Spawn";
    home.send(node_, std::move(envelope_));
    return true;
  }
  [[nodiscard]] bool still_waits() const noexcept { return cause() == Cause::none; }
  [[nodiscard]] Result<Spawned> await_resume() {
    if (cause() == Cause::stop) return fail(Code::cancelled, "the spawner was stopped");
    if (cause() == Cause::time) return fail(Code::deadline_exceeded, "the worker was not made in time");
    return std::move(outcome_);
  }

 private:
  friend class Request;
  void came(Result<Spawned> outcome) noexcept {
    request_ = nullptr;
    outcome_ = std::move(outcome);
    wake(Cause::event);
  }

  Self self_;
  const NodeId node_;
  EnvelopePtr envelope_;
  const SpawnOptions options_;
  Request* request_ = nullptr;
  Result<Spawned> outcome_ = fail(Code::internal, "no answer");
};

void Request::answered(EnvelopePtr envelope) noexcept {
  if (envelope->kind == v1::ITEM) return;
  Result<Spawned> made = outcome(*envelope);
  const bool wanted = waiting_ != nullptr && waiting_->still_waits();
  if (made && wanted) {
    home_.bound_to(spawner_.worker(), made->address, monitor_, link_);
  } else if (made) {
    home_.kill(made->address, "whoever spawned it no longer waited for it");
  }
  if (waiting_ != nullptr) waiting_->came(std::move(made));
  delete this;
}

Result<Spawned> Request::outcome(Envelope& envelope) const {
  if (envelope.kind == v1::ERROR) return fail(envelope.extra().status);
  Result<v1::SpawnReply> reply = take<v1::SpawnReply>(envelope);
  if (!reply) return fail(std::move(reply).error());
  return Spawned{Address{callee, WorkerId{reply->worker()}}, MonitorRef{monitor_}};
}

}  // namespace

Task<Result<Spawned>> spawn_encoded(Self self, NodeId node, std::string kind, std::string argument,
                                    SpawnOptions options) {
  if (node == NodeId::none) {
    Result<NodeId> chosen = self.node().choose_kind(kind);
    if (!chosen) co_return fail(std::move(chosen).error());
    node = *chosen;
  }
  v1::SpawnRequest request;
  request.set_kind(std::move(kind));
  request.set_argument(std::move(argument));
  request.set_link(options.link);
  EnvelopePtr envelope = std::make_unique<TypedEnvelope<v1::SpawnRequest>>(std::move(request));
  co_return co_await Request::Wait(self, node, std::move(envelope), options);
}

}  // namespace cobus
