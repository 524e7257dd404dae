// SPDX-License-Identifier: Apache-2.0
//
// DirectoryService: the directory on the bus. Nodes register and renew, everybody watches: a snapshot,
// then each change. Runs on the broker's only shard, so the directory needs no lock.
#pragma once

#include <cobus/v1/directory.cobus.h>

#include <deque>
#include <memory>

#include "broker/directory.hpp"
#include "broker/known_nodes.hpp"
#include "broker/lost_nodes.hpp"
#include "node/cluster/revocation_writer.hpp"
#include "node/runtime/reminder.hpp"
#include "node/runtime/signal.hpp"
#include "node/worker/node.hpp"

namespace cobus::broker {

class DirectoryService final : public v1::DirectoryService {
 public:
  // All must outlive it. What is revoked already is told to the links at once. `known` names the nodes of an
  // earlier life of the broker, and is kept up for the next one; null: it is taken to be the first one.
  DirectoryService(Node& node, link::Revocations& revocations, const KnownNodes* known = nullptr);

  Task<Result<v1::RegisterReply>> Register(Call call, v1::RegisterRequest request) override;
  Task<Result<v1::RenewReply>> Renew(Call call, v1::RenewRequest request) override;
  Task<Result<v1::LeaveReply>> Leave(Call call, v1::LeaveRequest request) override;
  Stream<v1::DirectoryEvent> Watch(Call call, v1::WatchRequest request) override;

  Task<Result<v1::ShareReply>> Share(Call call, v1::ShareRequest request) override;

  // What the list of revocations has learned: to the links, and to all who watch. The broker's shard.
  void revoke(const std::vector<link::Revoked>& news);
  // Writes down what the list has taken in: as RevocationWriter::write.
  [[nodiscard]] Task<Status> write_revocations() { return revocation_writer_.write(); }
  [[nodiscard]] std::vector<v1::CertificateBody> certificates() const { return directory_.certificates(); }
  // Ends leases and puts out collected changes when they are due. A worker's coroutine; run it once.
  static Task<> keep_time(Self self, DirectoryService* service);
  // Keeps up the names of those that are registered. A worker's coroutine; run it once.
  static Task<> keep_known(Self self, DirectoryService* service);
  // The session of a node ended. The broker's shard.
  void connection_lost(NodeId node);
  // It is silent, or heard again. The broker's shard.
  void suspect(NodeId node, bool suspected);
  // The nodes that were lost without a Leave. Call on the broker's shard.
  [[nodiscard]] v1::LostReply lost() const { return lost_.list(node_.clock().now()); }
  // The key that holds a name, if one does. Any thread.
  [[nodiscard]] std::optional<link::CurveKey> holder(std::string_view name) const {
    return directory_.holder(name);
  }

 private:
  struct Watcher : ListHook {
    std::deque<std::shared_ptr<const v1::DirectoryEvent>> events;
    bool behind = true;  // it is new, or missed some: it gets a snapshot next
    Signal came;
  };
  void publish();
  [[nodiscard]] std::int64_t unix_s() const { return node_.clock().unix_us() / 1'000'000; }

  Node& node_;
  link::Revocations& revocations_;
  RevocationWriter revocation_writer_;
  const KnownNodes* const known_;
  Directory directory_;
  LostNodes lost_;
  std::vector<std::string> saved_;  // the names in known_
  Signal names_changed_;
  List<Watcher> watchers_;
  Signal changed_;
  Reminder refusals_{std::chrono::seconds(30)};
};

}  // namespace cobus::broker
