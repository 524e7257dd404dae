// SPDX-License-Identifier: Apache-2.0
#include "broker/directory_service.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace cobus::broker {
namespace {

constexpr std::size_t events_waiting_max = 1000;

}  // namespace

DirectoryService::DirectoryService(Node& node, link::Revocations& revocations, const KnownNodes* known)
    : node_(node), revocations_(revocations), revocation_writer_(node, revocations), known_(known) {
  if (known_ != nullptr) saved_ = known_->load();
  directory_.expect(saved_, node.clock().now() + limits::filling_max);
  for (const link::Revoked& each : revocations.all(unix_s()))
    node.links().revoke(each.key, each.body.until());
}

void DirectoryService::publish() {
  for (v1::DirectoryEvent& delta : directory_.take_deltas()) {
    lost_.apply(delta, node_.clock().now());
    for (const v1::Departure& gone : delta.gone())
      spdlog::info("node {} is gone: {}", gone.name(), gone.reason());
    const auto event = std::make_shared<const v1::DirectoryEvent>(std::move(delta));
    watchers_.each([&event](Watcher& watcher) {
      if (watcher.events.size() >= events_waiting_max) {
        watcher.behind = true;
        watcher.events.clear();
      }
      if (!watcher.behind) watcher.events.push_back(event);
      watcher.came.notify();
    });
  }
  changed_.notify();
  names_changed_.notify();
}

Task<> DirectoryService::keep_known(Self self, DirectoryService* service) {
  if (service->known_ == nullptr) co_return;
  while (!self.stop_requested()) {
    std::vector<std::string> names = service->directory_.names();
    if (names != service->saved_) {
      const auto saved = co_await offload([known = service->known_, names] { return known->save(names); });
      if (!saved) co_return;
      if (!saved->ok() && service->refusals_.due(saved->message(), self.node().clock().now()))
        spdlog::warn("the names of the nodes could not be kept for the next start: {}", saved->message());
      service->saved_ = std::move(names);
      continue;  // they may have changed meanwhile
    }
    if (!(co_await service->names_changed_.wait()).ok()) co_return;
  }
}

Task<Result<v1::RegisterReply>> DirectoryService::Register(Call call, v1::RegisterRequest request) {
  const std::optional<link::PeerInfo> peer = node_.peer(call.caller_address().node);
  if (!peer) co_return fail(Code::unavailable, "the connection ended");
  if (NodeId{request.record().node()} != peer->node) {
    co_return fail(Code::permission_denied, "a node registers itself and no other");
  }
  const bool is_new = directory_.find(peer->node) == nullptr;
  const Result<void> registered = directory_.register_node(std::move(*request.mutable_record()),
                                                           Proof{peer->name, peer->key}, node_.clock().now());
  publish();
  if (!registered) {
    if (refusals_.due(registered.error().message(), node_.clock().now()))
      spdlog::warn("node {} is refused: {}", peer->name, registered.error().message());
    co_return fail(registered.error());
  }
  if (is_new) spdlog::info("node {} is here", peer->name);
  v1::RegisterReply reply;
  reply.set_lease_ms(static_cast<std::uint32_t>(limits::lease_ttl.count()));
  reply.set_renew_ms(static_cast<std::uint32_t>(limits::renew_interval.count()));
  co_return reply;
}

Task<Result<v1::RenewReply>> DirectoryService::Renew(Call call, v1::RenewRequest request) {
  v1::RenewReply reply;
  const NodeId node = call.caller_address().node;
  reply.set_known(NodeId{request.node()} == node &&
                  directory_.renew(node, request.incarnation(), request.load(), node_.clock().now()));
  publish();
  co_return reply;
}

Task<Result<v1::LeaveReply>> DirectoryService::Leave(Call call, v1::LeaveRequest /*request*/) {
  directory_.leave(call.caller_address().node, node_.clock().now());
  publish();
  co_return v1::LeaveReply();
}

Stream<v1::DirectoryEvent> DirectoryService::Watch(Call /*call*/, v1::WatchRequest /*request*/) {
  Watcher watcher;
  watchers_.push_back(watcher);
  for (;;) {
    if (watcher.behind) {
      watcher.behind = false;
      Directory::Told told;
      for (link::Revoked& each : revocations_.all(unix_s())) told.revoked.push_back(std::move(each.proof));
      for (bool more = true; more;) {
        v1::DirectoryEvent part = directory_.snapshot_part(told, node_.clock().now());
        more = part.more();
        co_yield std::move(part);
      }
    } else if (!watcher.events.empty()) {
      const auto event = watcher.events.front();
      watcher.events.pop_front();
      co_yield *event;
    } else if (!(co_await watcher.came.wait()).ok()) {
      co_return;
    }
  }
}

void DirectoryService::revoke(const std::vector<link::Revoked>& news) {
  for (const link::Revoked& each : news) {
    spdlog::warn("key {} of {} is revoked: {}", link::short_fingerprint(each.key), each.body.name(),
                 each.body.reason());
    node_.links().revoke(each.key, each.body.until());
  }
  directory_.revoke(news, node_.clock().now());
  publish();
}

Task<Result<v1::ShareReply>> DirectoryService::Share(Call /*call*/, v1::ShareRequest request) {
  const std::vector<link::Revoked> news = revocations_.merge(request.revoked(), unix_s());
  v1::ShareReply reply;
  reply.set_news(static_cast<std::uint32_t>(news.size()));
  if (!news.empty()) revoke(news);
  // Also when nothing is new: what was told before may not be on the disk yet.
  if (const Status written = co_await write_revocations(); !written.ok())
    reply.set_unwritten(written.message());
  co_return reply;
}

void DirectoryService::connection_lost(NodeId node) {
  directory_.connection_lost(node, node_.clock().now());
  publish();
}

void DirectoryService::suspect(NodeId node, bool suspected) {
  directory_.suspect(node, suspected);
  publish();
}

Task<> DirectoryService::keep_time(Self self, DirectoryService* service) {
  while (!self.stop_requested()) {
    const TimePoint due = service->directory_.next_expiry();
    const TimePoint now = self.node().clock().now();
    if (due <= now) {
      service->directory_.expire(now);
      service->publish();
      continue;
    }
    const Duration wait = due == never ? Duration(-1) : due - now;
    if ((co_await service->changed_.wait(wait)).code() == Code::cancelled) co_return;
  }
}

}  // namespace cobus::broker
