// SPDX-License-Identifier: Apache-2.0
//
// Tap: live traffic for those who watch. Without a watcher the node has no observer and nothing is
// recorded; with one, each record costs the observed thread a filter and a push into a bounded queue.
// The watcher may lose records, and always learns how many. Shared by all threads; every method locks.
#pragma once

#include <cobus/v1/observe.pb.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "node/runtime/signal.hpp"
#include "node/worker/node.hpp"

namespace cobus {

class Tap final : public TrafficObserver {
 public:
  using NameOf = std::function<std::string(NodeId)>;
  using TypeName = std::function<std::string(TypeId)>;

  // `name_of` and `type_name` are called by any thread.
  Tap(Node& node, NameOf name_of, TypeName type_name);
  ~Tap() override;

  // One watcher; lives in a coroutine and leaves when destroyed.
  class Watcher {
   public:
    Watcher(Tap& tap, v1::TapRequest request);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    // What was seen since the last call, at least one record or a number of lost ones; nothing when the
    // worker is asked to stop.
    [[nodiscard]] Task<std::optional<v1::TapBatch>> next();

   private:
    friend class Tap;
    struct Mail {
      Signal came;  // the watcher's shard only
    };
    Tap& tap_;
    const v1::TapRequest request_;
    const unsigned shard_;
    std::shared_ptr<Mail> mail_ = std::make_shared<Mail>();
    // guarded by the tap's mutex
    std::deque<v1::TapRecord> records_;
    std::size_t queued_bytes_ = 0;  // in records_
    std::uint64_t dropped_ = 0;
    TimePoint second_{};
    std::uint32_t in_second_ = 0;
  };

  void saw(const Sighting& sighting) noexcept override;

 private:
  struct Request {
    std::string method;
    TimePoint seen;
  };
  struct Key {
    Address caller;
    std::uint64_t call;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<Address>{}(key.caller) ^ key.call;
    }
  };
  void note(const Sighting& request, TimePoint now);
  v1::TapRecord describe(const Sighting& sighting);
  void offer(Watcher& watcher, const v1::TapRecord& record, const Sighting& sighting);
  [[nodiscard]] std::string place(const Address& address) const;

  Node& node_;
  const NameOf name_of_;
  const TypeName type_name_;
  std::mutex mutex_;
  std::vector<Watcher*> watchers_;                      // guarded by mutex_
  std::unordered_map<Key, Request, KeyHash> requests_;  // guarded by mutex_: those without an answer yet
};

}  // namespace cobus
