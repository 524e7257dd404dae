// SPDX-License-Identifier: Apache-2.0
//
// Home: what one shard holds of a node: its workers, the calls they wait for, the calls they handle,
// and the envelopes on their way out. Used on the shard's thread only, except where said.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
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
  // REPLY, ITEM, END or ERROR, and the callee's CREDIT or CANCEL of the items that are streamed to it.
  // After a REPLY, END or ERROR the call is no longer registered.
  virtual void answered(EnvelopePtr envelope) noexcept = 0;
  NodeId callee = NodeId::none;
  std::uint64_t id = 0;

 protected:
  PendingCall() noexcept = default;
  ~PendingCall() = default;
};

// A message that waits for room in a mailbox of this shard.
struct SendInWaiting : ListHook {
  EnvelopePtr envelope;
  // It is in the mailbox, or lost with the worker that it was for.
  virtual void sent(Status status) noexcept = 0;

 protected:
  ~SendInWaiting() = default;
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
  [[nodiscard]] static Worker& running() noexcept {
    Strand& strand = Shard::strand();
    return static_cast<Worker&>(strand.whole != nullptr ? *strand.whole : strand);
  }
  [[nodiscard]] Node& node() noexcept { return node_; }
  [[nodiscard]] Shard& shard() noexcept { return shard_; }

  // Makes a worker without a body; start() gives it one and queues it. Throws std::bad_alloc.
  Worker& make_worker(const char* kind);
  void start(Worker& worker, Task<> body);
  // Makes a worker that runs `function(Self, arguments...)`. What that throws leaves no worker behind.
  template <class Function, class... Arguments>
  Worker& spawn(const char* kind, Function& function, Arguments&&... arguments);
  // Ends a worker, wherever it is suspended; the running one as soon as it waits. Those who watch it
  // hear `reason`.
  void end(Worker& worker, Status reason) noexcept;
  // Frames of this kind are so large; the next worker of it has room for one.
  void learn_frame_size(const char* kind, std::size_t bytes) noexcept;
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
  // A message to a worker. RESOURCE_EXHAUSTED when its mailbox is known to be full: `envelope` is then
  // still the caller's. NOT_FOUND when it is known to be gone.
  [[nodiscard]] Status try_send(NodeId node, EnvelopePtr& envelope);
  // A message that try_send() found no room for: sent when there is some, then `wakeup` is resumed.
  void send_when_there_is_room(WorkerId to, SendInWaiting& waiting);
  void let_senders_in(Worker& worker) noexcept;

  // Bonds (bonds.cpp). `worker` is one of this shard; the other may be anywhere, or gone.
  // It gets one v1::Down, at once when there is no such worker.
  [[nodiscard]] MonitorRef monitor(Worker& worker, Address target);
  // No Down of `ref` is received after it, also none that waits in the mailbox.
  void demonitor(Worker& worker, MonitorRef ref) noexcept;
  void link(Worker& worker, Address peer);
  void unlink(Worker& worker, Address peer) noexcept;
  // One v1::NodeDown when the session with `target` ends, or cannot be made.
  void monitor_node(Worker& worker, NodeId target);
  // The explicit exit signal.
  void exit(const Worker& from, Address to, Status reason);
  // Watches or links `worker`, which was not started yet, on behalf of who spawns it.
  void bind(Worker& worker, Address spawner, std::uint64_t monitor, bool link);
  // Hands what was sent to other nodes to the link. After each turn.
  void flush();

  // Registers a call and gives it its id.
  void add_call(PendingCall& call);
  // Does nothing when it is not registered.
  void remove_call(PendingCall& call) noexcept;
  // A peer is gone: its calls to us end, ours to it fail.
  void peer_lost(NodeId node, const Status& reason) noexcept;

  // The handler that was registered under its caller's address and call id, so that CANCEL finds it, is done.
  void handled(Worker& worker, const Address& caller, std::uint64_t call) noexcept;

 private:
  struct Slot {
    Worker* worker = nullptr;
    std::uint32_t generation = 0;
  };
  static constexpr std::uint32_t slots_per_chunk = 1024;
  using Chunk = std::array<Slot, slots_per_chunk>;
  struct FrameSize {
    const char* kind = nullptr;
    std::uint32_t bytes = 0;
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
  void release(Worker& worker, const Status& reason) noexcept;
  [[nodiscard]] Slot& slot(std::uint32_t index) noexcept {
    return (*chunks_[index / slots_per_chunk])[index % slots_per_chunk];
  }
  template <class Visit>
  void each_worker(Visit&& visit);
  [[nodiscard]] FrameSize& frame_size_of(const char* kind) noexcept;
  void forget_unstarted_call(Worker& worker) noexcept;
  void receive_message(EnvelopePtr envelope) noexcept;
  void reach(Worker& worker, EnvelopePtr envelope) noexcept;
  void find_no_room(Worker& worker, EnvelopePtr envelope) noexcept;
  void receive_signal(EnvelopePtr envelope) noexcept;
  void exit_arrived(Worker& worker, Address from, Status reason, bool by_link) noexcept;
  void down_arrived(Worker& worker, std::uint64_t ref, const Status& reason) noexcept;
  void send_signal(v1::Kind kind, Address from, Address to, std::uint64_t call, Status reason = {},
                   std::uint32_t flags = 0) noexcept;
  void tied_to(NodeId node, const Worker& worker);
  void dissolve(Worker& worker, const Status& reason) noexcept;
  void bonds_lost(NodeId node, const Status& reason) noexcept;
  void node_down_arrived(Worker& worker, NodeId node, const Status& reason) noexcept;
  void tell_node_down(Worker& worker, NodeId node, const Status& reason) noexcept;
  void answer(EnvelopePtr envelope) noexcept;
  void receive_upstream(EnvelopePtr envelope) noexcept;
  void begin_call(EnvelopePtr request) noexcept;
  // Answers a request with an error, in the name of another node when it could not be sent there.
  void refuse(const Envelope& request, Status status, NodeId in_name_of = NodeId::none) noexcept;
  Ender& ender();

  Node& node_;
  Shard& shard_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint32_t slots_ = 0;  // in use, now or once
  std::vector<std::uint32_t> free_slots_;
  std::atomic<std::size_t> live_{0};  // written by the shard
  std::array<FrameSize, 64> frame_sizes_{};
  // Workers with bonds to workers of another node, for the day that it is lost. May name some without.
  std::unordered_map<NodeId, std::unordered_set<WorkerId>> tied_;
  std::unordered_map<NodeId, std::unordered_set<WorkerId>> node_watchers_;
  std::unordered_map<WorkerId, List<SendInWaiting>> senders_;  // by the worker whose mailbox is full
  std::uint64_t next_ref_ = 1;
  std::vector<CallSlot> calls_;
  std::vector<std::uint32_t> free_calls_;
  std::unordered_map<CallKey, Worker*, CallKeyHash> handled_;
  std::unordered_map<NodeId, std::uint32_t> handled_of_;  // how many of each caller's node
  std::unordered_map<NodeId, std::string> outgoing_;
  std::unique_ptr<Ender> ender_;
};

}  // namespace cobus
