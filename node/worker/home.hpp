// SPDX-License-Identifier: Apache-2.0
//
// Home: what one shard holds of a node: its workers, the calls they wait for, the calls they handle,
// and the envelopes on their way out. Used on the shard's thread only, except where said.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "node/runtime/shard.hpp"
#include "node/worker/envelope.hpp"
#include "node/worker/worker.hpp"

namespace cobus {

class Node;
struct Method;

// A call or stream that a worker of this shard waits for.
class PendingCall {
 public:
  // REPLY, ITEM, END or ERROR. After a REPLY, END or ERROR the call is no longer registered.
  virtual void answered(EnvelopePtr envelope) noexcept = 0;
  NodeId callee = NodeId::none;
  std::uint64_t id = 0;

 protected:
  PendingCall() noexcept = default;
  ~PendingCall() = default;
};

class Home {
 public:
  Home(Node& node, Shard& shard) noexcept;
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  // The home on `shard`, whose owner it is.
  [[nodiscard]] static Home& of(Shard& shard) noexcept { return *static_cast<Home*>(shard.owner()); }
  // The running worker. Only inside of one.
  [[nodiscard]] static Worker& running() noexcept { return static_cast<Worker&>(Shard::strand()); }
  [[nodiscard]] Node& node() noexcept { return node_; }
  [[nodiscard]] Shard& shard() noexcept { return shard_; }

  // Makes a worker without a body; start() gives it one and queues it.
  Worker& make_worker(const char* kind);
  void start(Worker& worker, Task<> body);
  // Ends a worker at once, wherever it is suspended. Not the running one.
  void end(Worker& worker) noexcept;
  // Asks every worker to stop; those that do not are ended by end_all().
  void stop_all() noexcept;
  // The same for all but handlers of calls that end by themselves.
  void stop_idle() noexcept;
  void end_all() noexcept;
  // Null when it is gone.
  [[nodiscard]] Worker* find(WorkerId id) noexcept;
  [[nodiscard]] std::size_t workers() const noexcept {
    return live_.load(std::memory_order_relaxed);
  }  // any thread

  // An envelope for a worker of this shard, or a request for a method of this node.
  void receive(EnvelopePtr envelope) noexcept;

  // Sends from this shard, to a worker, method or name at `node` (this one too).
  void send(NodeId node, EnvelopePtr envelope);
  // Hands what was sent to other nodes to the link. After each turn.
  void flush();

  // Registers a call and gives it its id.
  void add_call(PendingCall& call);
  // Does nothing when it is not registered.
  void remove_call(PendingCall& call) noexcept;
  // A peer is gone: its calls to us end, ours to it fail.
  void peer_lost(NodeId node, const Status& reason) noexcept;

  // A call handler registers under its caller's address and call id, so that CANCEL finds it.
  void handling(Worker& worker, const Address& caller, std::uint64_t call);
  void handled(const Address& caller, std::uint64_t call) noexcept;

  [[nodiscard]] std::uint64_t late_replies() const noexcept { return late_replies_; }

 private:
  struct Slot {
    Worker* worker = nullptr;
    std::uint32_t generation = 0;
  };
  struct CallSlot {
    PendingCall* call = nullptr;
    std::uint64_t generation = 0;
  };
  struct CallKey {
    Address caller;
    std::uint64_t call;
    friend bool operator==(const CallKey&, const CallKey&) = default;
  };
  struct CallKeyHash {
    std::size_t operator()(const CallKey& key) const noexcept {
      return std::hash<Address>{}(key.caller) ^ (key.call * 0x9e3779b97f4a7c15ULL);
    }
  };
  struct Ender;  // the coroutine that every worker's body continues with when it ends

  void finish(Worker& worker) noexcept;
  void release(Worker& worker) noexcept;
  void answer(EnvelopePtr envelope) noexcept;
  void begin_call(EnvelopePtr request) noexcept;
  // Answers a request with an error, in the name of another node when it could not be sent there.
  void refuse(const Envelope& request, Status status, NodeId in_name_of = NodeId::none) noexcept;
  Ender& ender();

  Node& node_;
  Shard& shard_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  List<Worker> all_;
  std::atomic<std::size_t> live_{0};  // written by the shard
  std::vector<CallSlot> calls_;
  std::vector<std::uint32_t> free_calls_;
  std::unordered_map<CallKey, Worker*, CallKeyHash> handled_;
  std::unordered_map<NodeId, std::string> outgoing_;
  std::unique_ptr<Ender> ender_;
  Worker* finished_ = nullptr;
  std::uint64_t late_replies_ = 0;
};

}  // namespace cobus
