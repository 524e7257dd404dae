// SPDX-License-Identifier: Apache-2.0
//
// Followers: who waits for news of which job. The ledger's thread publishes, coroutines on any shard
// follow. Only the latest state of a job is kept for a follower that has not looked yet.
#pragma once

#include <cobus/v1/job.pb.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "node/runtime/signal.hpp"
#include "node/worker/node.hpp"

namespace cobus::job {

class Followers {
 public:
  explicit Followers(Node& node) : node_(node) {}

  // One follower of one job; lives in a coroutine and leaves when destroyed.
  class Follower {
   public:
    Follower(Followers& all, std::string id);
    ~Follower();
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;
    // The job as it is after the next change; nothing when the worker is asked to stop.
    [[nodiscard]] Task<std::optional<v1::Job>> next();

   private:
    friend class Followers;
    struct Mail {
      Signal changed;
      std::optional<v1::Job> latest;  // the follower's shard only
    };
    Followers& all_;
    const std::string id_;
    const unsigned shard_;
    std::shared_ptr<Mail> mail_ = std::make_shared<Mail>();
  };

  // The job changed. Any thread.
  void publish(const v1::Job& job);

 private:
  Node& node_;
  std::mutex mutex_;
  std::unordered_multimap<std::string, Follower*> followers_;  // guarded by mutex_
};

}  // namespace cobus::job
