// SPDX-License-Identifier: Apache-2.0
//
// Home: what one shard holds of a node: its workers, the calls they wait for, the calls they handle,
// and the envelopes on their way out. Used on the shard's thread only, except where said.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "node/runtime/shard.hpp"
#include "node/worker/envelope.hpp"
#include "node/worker/outbound.hpp"
#include "node/worker/parts.hpp"
#include "node/worker/pending_call.hpp"
#include "node/worker/room.hpp"
#include "node/worker/worker.hpp"

namespace cobus {

namespace link {
class Backlog;
}
class Node;
class TrafficObserver;
enum class DeadLetter : std::uint8_t;
struct Method;

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
  [[nodiscard]] NodeId node_id() const noexcept { return node_id_; }
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
  // 0 when none of this kind has been seen lately, or its frames are large.
  [[nodiscard]] std::size_t learned_frame_size(const char* kind) noexcept {
    return frame_size_of(kind).kind == kind ? frame_size_of(kind).bytes : 0;
  }
  // Asks every worker to stop; those that do not are ended by end_all().
  void stop_all() noexcept;
  // The same for all but handlers of calls that end by themselves, and workers that stop last.
  void stop_idle() noexcept;
  void end_all() noexcept;
  // Null when it is gone.
  [[nodiscard]] Worker* find(WorkerId id) noexcept {
    if (id.index() >= slots_ || id.shard() != shard_.index()) return nullptr;
    const Slot& its = slot(id.index());
    return its.generation == id.generation() ? its.worker : nullptr;
  }
  // For whoever looks at all of them: slots are numbered from 0, and null is an empty one.
  [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }
  [[nodiscard]] Worker* in_slot(std::uint32_t index) noexcept { return slot(index).worker; }
  // Whether there once was a worker of that id that is gone now.
  [[nodiscard]] bool has_ended(WorkerId id) noexcept;
  [[nodiscard]] std::size_t workers() const noexcept {
    return live_.load(std::memory_order_relaxed);
  }  // any thread

  // An envelope for a worker of this shard, or a request for a method of this node.
  void receive(EnvelopePtr envelope) noexcept;
  // The same of one that came through the shard's inbox.
  void receive_posted(EnvelopePtr envelope) noexcept {
    taken_in_bytes_ += envelope->inbox_cost();
    receive(std::move(envelope));
  }
  // Brings an envelope to the shard. Any thread.
  void post(EnvelopePtr envelope) noexcept {
    expect_bytes(envelope->inbox_cost());
    shard_.post(envelope.release());
  }
  // Bytes of envelopes in the shard's inbox. Any thread.
  [[nodiscard]] std::uint64_t inbound_bytes() const noexcept {
    return inbound_bytes_.load(std::memory_order_relaxed);
  }
  void expect_bytes(std::uint64_t more) noexcept {
    inbound_bytes_.fetch_add(more, std::memory_order_relaxed);
  }

  // What it holds for others, for whoever looks for something left behind.
  struct Held {
    std::size_t workers = 0;
    std::size_t calls_waiting = 0;  // for an answer
    std::size_t calls_handled = 0;
    std::size_t ties = 0;  // ends of monitors and links with workers of other nodes
    std::size_t node_watchers = 0;
    std::size_t senders_waiting = 0;  // groups of them, by what they wait for
    std::size_t full_elsewhere = 0;   // workers elsewhere that are known to have full mailboxes
    std::size_t told_full = 0;        // workers here of which others know so
    std::size_t outgoing_bytes = 0;   // not handed to the link yet
  };
  [[nodiscard]] Held held() const;

  // For placing new work: workers, and what was placed here and has not arrived. Any thread.
  [[nodiscard]] std::size_t load() const noexcept {
    return workers() + coming_.load(std::memory_order_relaxed);
  }
  void expect() noexcept { coming_.fetch_add(1, std::memory_order_relaxed); }
  void arrived() noexcept { coming_.fetch_sub(1, std::memory_order_relaxed); }

  // The short way of nearly all messages: to a worker of this shard that takes it. Else false: `envelope` is
  // then still the caller's. One piece of code: as calls it costs a tenth more (tests/bench, one_way).
  [[nodiscard, gnu::always_inline]] bool reach_here(NodeId node, WorkerId to,
                                                    EnvelopePtr& envelope) noexcept {
    if (node != node_id_ || observer_.load(std::memory_order_relaxed) != nullptr) return false;
    Worker* const worker = find(to);
    return worker != nullptr && reach_at_once(*worker, envelope);
  }
  // Sends from this shard, to a worker, method or name at `node` (this one too). send_and_keep() gives back
  // the envelope, unchanged, when it went to another node, else null. (home_send.cpp)
  void send(NodeId node, EnvelopePtr envelope);
  [[nodiscard]] EnvelopePtr send_and_keep(NodeId node, EnvelopePtr envelope);
  // A message to a worker. RESOURCE_EXHAUSTED when its mailbox, or the inbox of its shard, is known to be
  // full: `envelope` is then still the caller's. NOT_FOUND when it is known to be gone.
  [[nodiscard]] Status try_send(NodeId node, EnvelopePtr& envelope);
  // A message to another node that may go at once, written where it leaves: large ones to where they wait to
  // go in parts. False, and nothing happened, when it has to go, or wait, as an envelope.
  [[nodiscard]] bool send_at_once(NodeId node, Envelope& message);
  // A message that try_send() found no room for: sent when there is some, then it is told so.
  void send_when_there_is_room(SendInWaiting& waiting);
  // Those who wait for room in the mailbox of `worker`, here and elsewhere, as far as there is some; all,
  // when it is gone.
  void let_senders_in(Worker& worker) noexcept;
  // The first message wanted of those whose senders wait for room; null when there is none.
  [[nodiscard]] EnvelopePtr take_from_senders(Worker& worker, Worker::Wants wants) noexcept;

  // The answer of `worker` to a request that it received.
  void answer_from(const Worker& worker, NodeId caller, EnvelopePtr answer);
  // Requests to workers (home_calls.cpp). One that its receiver destroyed without an answer, those that an
  // exception took along, with the reason that the worker ends with (null: it goes on), and one whose caller
  // has given up already.
  void unanswered(Worker& worker, EnvelopePtr request) noexcept;
  void answer_abandoned(Worker& worker, const Status* reason) noexcept;
  void refuse_expired(const Envelope& request) noexcept;

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
  // The same from nobody in particular, and it cannot be trapped.
  void kill(Address target, std::string why);
  // Watches or links `worker`, which was not started yet, on behalf of who spawns it: the other end's half of
  // bound_to().
  void bind(Worker& worker, Address spawner, std::uint64_t monitor, bool link);
  // A number for a monitor that begins with bind(), and its own half once the worker's address is known. 0:
  // no monitor.
  [[nodiscard]] std::uint64_t new_monitor() noexcept { return next_ref_++; }
  void bound_to(Worker& worker, Address target, std::uint64_t monitor, bool link);
  // Hands what was sent to other shards and nodes over. After each turn.
  void flush();

  // Registers a call and gives it its id. To remove one that is not registered does nothing.
  void add_call(PendingCall& call);
  void remove_call(PendingCall& call) noexcept;
  // Calls that wait for an answer, at most the first `most` that there is a place for.
  template <class Visit>
  void each_call(std::size_t most, Visit&& visit) const {
    for (std::size_t i = 0; i < std::min(most, calls_.size()); ++i) {
      if (calls_[i].call != nullptr) visit(*calls_[i].call);
    }
  }
  // So many peers were lost by now, the last of which is news. What was sent before goes as it was meant.
  void knows_of_downs(std::uint64_t downs);
  // A peer is gone: its calls to us end, ours to it fail.
  void peer_lost(NodeId node, const Status& reason) noexcept;
  void part_undeliverable(NodeId node, std::uint64_t id, const Status& reason);
  // Less waits for that node, so senders may go on; or, with a reason, it cannot be reached.
  void node_drained(NodeId node, const Status& how) noexcept;
  // After peer_lost() of every shard: those who watch the node hear of it.
  void tell_node_watchers(NodeId node, const Status& reason) noexcept;

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
  // The worker, and those that its end takes along.
  void release(Worker& worker, const Status& reason) noexcept;
  void release_alone(Worker& worker, const Status& reason) noexcept;
  [[nodiscard]] Slot& slot(std::uint32_t index) noexcept {
    return (*chunks_[index / slots_per_chunk])[index % slots_per_chunk];
  }
  template <class Visit>
  void each_worker(Visit&& visit);
  [[nodiscard]] FrameSize& frame_size_of(const char* kind) noexcept;
  void forget_unstarted_call(Worker& worker) noexcept;
  void take_in(EnvelopePtr envelope);
  void receive_message(EnvelopePtr envelope);
  void forget_request(const Envelope& cancel) noexcept;
  // False, and nothing happened, when it neither waits for the message nor has room for it.
  [[nodiscard, gnu::always_inline]] bool reach_at_once(Worker& worker, EnvelopePtr& envelope) noexcept {
    const bool wanted = worker.waits_for(*envelope);
    if (!wanted && !worker.mailbox.has_room_for(*envelope)) [[unlikely]]
      return false;
    put(worker, std::move(envelope), wanted);
    return true;
  }
  // Whatever the bounds of its mailbox are.
  void reach(Worker& worker, EnvelopePtr envelope) noexcept {
    const bool wanted = worker.waits_for(*envelope);
    put(worker, std::move(envelope), wanted);
  }
  [[gnu::always_inline]] static void put(Worker& worker, EnvelopePtr envelope, bool wanted) noexcept {
    envelope->arrival = static_cast<std::uint32_t>(++worker.received);
    wanted ? worker.hand_over(std::move(envelope)) : worker.mailbox.push(std::move(envelope));
  }
  void find_no_room(Worker& worker, EnvelopePtr envelope);
  [[nodiscard]] bool other_shard_has_room(const Envelope& envelope) const noexcept;
  // Room elsewhere (home_room.cpp).
  [[nodiscard]] std::optional<Elsewhere> elsewhere(const Envelope& envelope) const noexcept;
  void tell(const Elsewhere& who, EnvelopePtr news) noexcept;
  void tell_room(const Elsewhere& who, WorkerId worker, TypeId awaited = TypeId::none,
                 Status gone = {}) noexcept;
  void tell_full(const Elsewhere& who, Worker& worker);
  [[nodiscard]] bool crowds(const Elsewhere& who) const noexcept;
  void message_from_crowd(Worker& worker, const Envelope& message);
  void look_again_soon() noexcept;
  void look_for_room() noexcept;
  [[nodiscard]] bool take_beyond(Worker& worker, EnvelopePtr& envelope);
  [[nodiscard]] bool let_in_from_elsewhere(Worker& worker, bool gone) noexcept;
  void look_elsewhere(Worker& worker, Worker::Wants wants) noexcept;
  void room_asked(const Envelope& asks) noexcept;
  void room_told(const Envelope& news) noexcept;
  [[nodiscard]] FullElsewhere* full_elsewhere(const Address& worker) noexcept;
  [[nodiscard]] bool has_to_wait(NodeId node, const Envelope& message) noexcept;
  void let_one_go(FullElsewhere& full, TypeId type) noexcept;
  void let_go(List<SendInWaiting>& waiting) noexcept;
  void let_down(List<SendInWaiting>& waiting, DeadLetter why, const Status& reason) noexcept;
  void room_lost(NodeId lost, const Status& reason) noexcept;
  [[nodiscard]] bool may_go_to(NodeId node, std::size_t size);
  [[nodiscard]] bool has_room_for_parts(NodeId node) const noexcept;
  [[nodiscard]] link::Backlog& backlog_of(NodeId node);
  void wait_for_node(SendInWaiting& waiting);
  void parts_drained(NodeId node) noexcept;
  void send_to_shard(unsigned shard, EnvelopePtr envelope);
  void send_away(NodeId to_node, Envelope& envelope);
  void write_out(NodeId to_node, const Envelope& envelope, std::size_t size);
  void refuse_too_large(NodeId to_node, const Envelope& envelope, std::size_t size);
  void hand_over(unsigned shard) noexcept;
  void submit(NodeId node, Outbound::Chunk& chunk);
  void submit_outbound();
  // In parts (home_parts.cpp).
  [[nodiscard]] bool goes_in_parts(NodeId to_node, const Envelope& envelope, std::size_t size) const noexcept;
  void send_in_parts(NodeId to_node, Envelope& envelope, std::size_t size);
  [[nodiscard]] bool takes_parts(NodeId node) const;
  [[nodiscard]] bool takes_repeats(NodeId node, Outbound::Chunk& chunk) const;
  void pump_parts();
  bool pump(NodeId node, PartsOut& parts);
  LargeBytes finish_first(NodeId node, PartsOut& parts);
  void parts_lost(NodeId node);
  void answer_for_nobody(const Envelope& envelope);
  void cancel_everywhere(const Envelope& cancel);
  void receive_signal(EnvelopePtr envelope) noexcept;
  void exit_arrived(Worker& worker, Address from, Status reason, bool by_link) noexcept;
  void down_arrived(Worker& worker, std::uint64_t ref, const Status& reason) noexcept;
  void send_signal(v1::Kind kind, Address from, Address to, std::uint64_t call, Status reason = {},
                   std::uint32_t flags = 0) noexcept;
  void tie(NodeId node, WorkerId worker);
  void untie(NodeId node, WorkerId worker) noexcept;
  [[nodiscard]] bool takes_bonds_of(NodeId node) const noexcept;
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
  const NodeId node_id_;
  const std::atomic<TrafficObserver*>& observer_;  // of the node
  Shard& shard_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint32_t slots_ = 0;  // in use, now or once
  std::vector<std::uint32_t> free_slots_;
  std::atomic<std::size_t> live_{0};  // written by the shard
  std::array<FrameSize, 64> frame_sizes_{};
  // Workers with bonds to workers of another node, and how many each has, for the day that it is lost.
  struct Ties {
    std::unordered_map<WorkerId, std::uint32_t> workers;
    std::size_t bonds = 0;
  };
  std::unordered_map<NodeId, Ties> tied_;
  std::unordered_map<NodeId, std::unordered_set<WorkerId>> node_watchers_;
  std::unordered_map<WorkerId, List<SendInWaiting>> senders_;  // by the worker whose mailbox is full
  std::unordered_map<WorkerId, std::vector<ToldFull>> told_full_;
  std::unordered_map<NodeId, std::unordered_map<WorkerId, FullElsewhere>> full_elsewhere_;
  std::unordered_map<NodeId, List<SendInWaiting>> behind_;  // senders to nodes for which as much waits as may
  std::unordered_map<NodeId, List<SendInWaiting>> large_behind_;  // the same of those that go in parts
  std::unordered_map<NodeId, std::shared_ptr<link::Backlog>> backlogs_;
  NodeId backlog_asked_ = NodeId::none;    // whose was asked for last,
  link::Backlog* last_backlog_ = nullptr;  // and it; null: none was
  List<SendInWaiting> far_senders_;        // to shards whose inbox is full
  bool crowd_waits_ = false;               // somebody in told_full_, for what others of its node have here
  struct LookForRoom : Timer {
    explicit LookForRoom(Home& of) noexcept
        : Timer([](Timer& timer) { static_cast<LookForRoom&>(timer).home.look_for_room(); }), home(of) {}
    Home& home;
  } look_for_room_{*this};
  std::uint64_t next_ref_ = 1;
  std::vector<CallSlot> calls_;
  std::vector<std::uint32_t> free_calls_;
  std::unordered_map<CallKey, Worker*, CallKeyHash> handled_;
  std::unordered_map<NodeId, std::uint32_t> handled_of_;  // how many of each caller's node
  std::uint64_t nameless_calls_ = 0;                      // requests whose sender named no worker
  Outbound outbound_;
  std::unordered_map<NodeId, PartsOut> parts_;
  std::uint64_t last_part_ = 0;
  bool submitted_ = false;         // to the link, since the last flush
  std::uint64_t downs_known_ = 0;  // of peers
  // What is collected for each other shard of the node.
  struct Outward {
    Shard::Chain chain;
    std::uint32_t count = 0;
    std::uint64_t bytes = 0;
  };
  std::vector<Outward> outward_;
  std::uint64_t taken_in_bytes_ = 0;              // out of the inbox, and not yet taken off inbound_bytes_
  std::deque<std::pair<WorkerId, Status>> ends_;  // of workers that another's end takes along
  std::unique_ptr<Ender> ender_;
  bool taking_along_ = false;  // those in ends_
  // The worker that is being ended, and why.
  const Worker* ending_ = nullptr;
  const Status* ending_reason_ = nullptr;

  // any thread
  alignas(64) std::atomic<std::uint64_t> inbound_bytes_{0};
  std::atomic<std::size_t> coming_{0};
};

inline Home& Worker::home() const noexcept { return Home::of(*shard); }

}  // namespace cobus
