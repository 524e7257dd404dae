// SPDX-License-Identifier: Apache-2.0
//
// Node: one participant of the bus: shards with their homes, the pool for blocking code, the links, and
// the services it offers. A daemon, a broker and a client are each a Node with other services. It can
// run on threads of its own (start/stop) or be stepped by a simulator (step).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "node/link/links.hpp"
#include "node/link/refusal_log.hpp"
#include "node/runtime/loop.hpp"
#include "node/runtime/offload.hpp"
#include "node/runtime/shard.hpp"
#include "node/worker/dead_letter.hpp"
#include "node/worker/home.hpp"
#include "node/worker/kind.hpp"
#include "node/worker/peer_account.hpp"
#include "node/worker/rest.hpp"
#include "node/worker/service.hpp"
#include "node/worker/stall_log.hpp"

namespace cobus {

// What the provider of a method says of calls of it.
struct MethodTerms {
  std::uint32_t timeout_ms = 0;  // how long a call may take when its caller sets no limit; 0: not said
  bool idempotent = false;       // it may run twice, so a call whose node was lost may be sent to another
};

// Finds a node that offers a service. Implemented by the cluster layer; any thread.
class Resolver {
 public:
  virtual ~Resolver() = default;
  // A node that offers `name`: a service, "package.Service/Method", or a kind of worker. NOT_FOUND when
  // no node that `eligible` admits is known to offer it, UNAVAILABLE when no broker has answered yet.
  [[nodiscard]] virtual Result<NodeId> choose_among(std::string_view name, const NodeFilter& eligible) = 0;
  [[nodiscard]] Result<NodeId> choose(std::string_view name) { return choose_among(name, {}); }
  // What `node` says of "package.Service/Method"; the defaults when nothing is known.
  [[nodiscard]] virtual MethodTerms terms(NodeId node, std::string_view method) const = 0;
  // A request did not reach `node`: it is not chosen for a while.
  virtual void unreached(NodeId node) = 0;
};

// Sees what passes. Called by the thread that moves the envelope; must be quick and not call back.
class TrafficObserver {
 public:
  struct Sighting {
    v1::Kind kind;
    Address from;
    Address to;
    std::string_view to_name;
    TypeId type;
    std::uint64_t call;
    std::size_t size;
    TraceContext trace;
    const Status* status;
    // A request that leaves for another node, which shows it: here only to know its answers by.
    bool shown_elsewhere;
    // Gives the payload's bytes; only during the call.
    const std::function<std::string()>& body;
  };
  virtual ~TrafficObserver() = default;
  virtual void saw(const Sighting& sighting) noexcept = 0;
};

// Hears of sessions. Called on the link's thread, with its lock held: be quick, do not call Links.
class PeerListener {
 public:
  virtual ~PeerListener() = default;
  virtual void on_peer_up(const link::PeerInfo& peer, link::TargetId target) = 0;
  virtual void on_peer_down(const link::PeerInfo& peer, const Status& reason) = 0;
  virtual void on_peer_suspected(const link::PeerInfo& /*peer*/, bool /*suspected*/) {}
  virtual void on_target_failed(link::TargetId /*target*/, const Status& /*reason*/) {}
  virtual void on_enrolled(const v1::Certificate& /*certificate*/) {}
};

// What has to go on while workers hold the shards of a node. Called by the watchdog's thread, several times a
// second while any shard is awake; be quick. May call Links.
class WatchdogTask {
 public:
  virtual ~WatchdogTask() = default;
  virtual void watchdog_turn(TimePoint now) = 0;
};

struct NodeOptions {
  std::string name;
  v1::Role role = v1::NODE;
  NodeId id = NodeId::none;       // none: drawn from `random`
  std::uint64_t incarnation = 0;  // 0: the clock's Unix microseconds
  unsigned shards = 1;
  unsigned pool_threads = 1;  // 0: offloaded functions run at once, for the simulator
  std::string token;          // to enrol with
  link::Enroller enroller;    // brokers only
  const Clock* clock = &system_clock();
  Random* random = &system_random();
  // For how long a shard that has nothing to do looks about before it sleeps, while its waits are shorter
  // than that. It then takes a whole core, as far as nobody else wants that; 0 saves it.
  Duration idle_poll_max = limits::idle_poll_max;
  bool shuffle = false;  // shards choose at random what to run; for the simulator
  // Called when a worker, or a function in offload(), does not return and so keeps the node from stopping:
  // `stuck_after` after it should have, and again after as long. `who` names it. A program that must end
  // whatever its workers do ends its process here. On the thread that stops or destroys the node.
  std::function<void(const std::string& who)> on_stuck;
  Duration stuck_after = std::chrono::seconds(5);
};

class Node final : public link::LinkEvents {
 public:
  // `transport` and what the options point to must outlive the node.
  Node(NodeOptions options, link::Transport& transport, link::Identity identity);
  ~Node() override;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] NodeId id() const noexcept { return options_.id; }
  [[nodiscard]] std::uint64_t incarnation() const noexcept { return options_.incarnation; }
  [[nodiscard]] const std::string& name() const noexcept { return options_.name; }
  [[nodiscard]] v1::Role role() const noexcept { return options_.role; }
  [[nodiscard]] const Clock& clock() const noexcept { return *options_.clock; }
  [[nodiscard]] Random& random() const noexcept { return *options_.random; }
  [[nodiscard]] link::Links& links() noexcept { return links_; }
  [[nodiscard]] OffloadPool& pool() noexcept { return pool_; }
  [[nodiscard]] unsigned shards() const noexcept { return static_cast<unsigned>(places_.size()); }
  [[nodiscard]] Home& home(unsigned shard) noexcept { return places_[shard]->home; }

  // Before start(): what it offers, who finds others, who listens. Nothing is owned but services.
  void add_service(std::unique_ptr<Service> service);
  void use_resolver(Resolver* resolver) noexcept { resolver_ = resolver; }
  // How types are called that came as bytes, for the log; without it by their numbers.
  void use_type_names(std::function<std::string(TypeId)> names) { type_names_ = std::move(names); }
  void add_peer_listener(PeerListener* listener) { listeners_.push_back(listener); }
  void add_watchdog_task(WatchdogTask* task) { watchdog_tasks_.push_back(task); }
  // Any thread, any time; null: nobody watches, and nothing is recorded.
  void use_observer(TrafficObserver* observer) noexcept {
    observer_.store(observer, std::memory_order_release);
  }
  [[nodiscard]] TrafficObserver* observer() const noexcept {
    return observer_.load(std::memory_order_acquire);
  }

  // Before start(): makes it one of those that others can have made here.
  void add_kind(Kind kind) { kinds_.insert_or_assign(kind.name, kind); }
  // Null when it does not make any. Any thread after start().
  [[nodiscard]] const Kind* find_kind(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<std::string> kinds() const;
  // A node that makes such workers. NOT_FOUND, UNAVAILABLE. Any thread.
  [[nodiscard]] Result<NodeId> choose_kind(std::string_view kind) const;

  // Null when the node does not offer it. Any thread after start().
  [[nodiscard]] const Method* find_method(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<const Service*> services() const;
  // A node that `eligible` admits and that offers "package.Service/Method", this one first. NOT_FOUND,
  // UNAVAILABLE. Any thread.
  [[nodiscard]] Result<NodeId> choose(std::string_view method, const NodeFilter& eligible = {}) const;
  // What `node` says of a method, as far as this node knows. Any thread.
  [[nodiscard]] MethodTerms terms(NodeId node, std::string_view method) const;
  // See Resolver::unreached(). Any thread.
  void unreached(NodeId node) const;

  // Runs `function(home)` on a shard, soon. What it throws is written to the log. Any thread.
  void run_on(unsigned shard, std::move_only_function<void(Home&)> function);
  // Spawns `function(Self, arguments...)` on the least loaded shard; the rules are those of Self::spawn. Any
  // thread.
  template <class Function, class... Arguments>
    requires SpawnFunction<Function, Arguments...>
  void spawn(const char* kind, Function function, Arguments... arguments);
  // The shard for something new: the one with the fewest workers, those on their way there included, shard 0
  // last. Whoever puts it there calls Home::arrived() when it has come. Any thread.
  [[nodiscard]] unsigned place() noexcept;

  // Starts the threads.
  void start();
  // Takes no new calls, gives those that run up to `grace`, asks the rest to stop, ends what does not, says
  // goodbye to peers, joins. Idempotent.
  void stop(Duration grace);
  // One turn of every shard and of the link, without threads; the transport must not block. True when there
  // is more to do at once.
  bool step();
  // Instead of step(): what the watchdog does while workers hold every shard.
  void step_watchdog();
  // When step() has something to do even if nothing comes; `never` without a timer.
  [[nodiscard]] TimePoint next_due() const;

  // What a peer's session proved; nothing when it has none now. Any thread.
  [[nodiscard]] std::optional<link::PeerInfo> peer(NodeId node) const { return links_.peer(node); }
  // Messages that reached nobody. Any thread.
  [[nodiscard]] const DeadLetters& dead_letters() const noexcept { return dead_letters_; }
  // Bytes that came from others and are held here. Any thread.
  [[nodiscard]] const PeerAccounts& peer_accounts() const noexcept { return accounts_; }
  [[nodiscard]] const PeerAccounts& large_peer_accounts() const noexcept { return large_accounts_; }
  [[nodiscard]] const PeerAccounts& answer_peer_accounts() const noexcept { return answer_accounts_; }
  // `at`: the node of its receiver; none: this one.
  // Of one that was to go to the node `to`.
  void dead_letter(DeadLetter why, NodeId to, const EnvelopeHeader& header) noexcept;
  void dead_letter(DeadLetter why, const Envelope& envelope, NodeId at = NodeId::none) noexcept;
  void dead_letter(DeadLetter why, const link::PeerInfo& from, const EnvelopeHeader& header) noexcept;

  // Somebody at `node` was refused; the log names the key, at a limited rate. Any thread.
  void denied(NodeId node, const Status& why);

  // Names of workers of this node. Any thread. ALREADY_EXISTS; INVALID_ARGUMENT when it is empty or longer
  // than limits::name_bytes_max.
  [[nodiscard]] Status register_name(const std::string& name, Address worker);
  // Does nothing when it is another's.
  void forget_name(const std::string& name, Address worker) noexcept;
  // Empty when nobody has it.
  [[nodiscard]] Address whereis(std::string_view name) const;
  // It stops: what runs may end, nothing new begins. Any thread.
  [[nodiscard]] bool draining() const noexcept { return draining_.load(std::memory_order_relaxed); }
  // Calls of other nodes and of this one that are handled here now. Any thread.
  std::atomic<std::uint32_t> calls_running{0};

  // Sends a request whose answer is thrown away, or that may be lost. It needs no worker and no shard.
  // Any thread; shows in no tap.
  void send_unanswered(NodeId to, std::string_view method, TypeId type, std::string_view payload,
                       Duration timeout);

  // Brings an envelope to the shard that it is for. Any thread.
  void deliver(EnvelopePtr envelope);

  // Tells the observer, if there is one, about an envelope that leaves for `to_node` or stays here.
  void show(const Envelope& envelope, NodeId to_node);

  void on_peer_up(const link::PeerInfo& peer, link::TargetId target) override;
  void on_peer_closing(const link::PeerInfo& peer, const Status& reason) override;
  void on_peer_down(const link::PeerInfo& peer, const Status& reason) override;
  void on_peer_suspected(const link::PeerInfo& peer, bool suspected) override;
  void on_envelope(const link::PeerInfo& peer, const EnvelopeView& view, link::FrameIn frame) override;
  [[nodiscard]] Status on_frame_end(const link::PeerInfo& peer) override;
  void on_undeliverable(NodeId node, std::string_view envelopes, const Status& reason) override;
  void on_unacknowledged(NodeId node, std::string_view envelopes, const Status& reason) override;
  void on_drained(NodeId node, const Status& how) override;
  void on_target_failed(link::TargetId target, const Status& reason) override;
  void on_enrolled(const v1::Certificate& certificate) override;

 private:
  friend class Home;
  // Shard 0 waits in the link's poll.
  class LinkWaiter final : public Waiter {
   public:
    explicit LinkWaiter(Node& node) noexcept : node_(node) {}
    void wait(Duration longest) override;
    void wake() noexcept override { node_.links_.wake(); }
    [[nodiscard]] bool glance() override;

   private:
    Node& node_;
  };
  struct Place {
    Place(Node& node, unsigned index);
    std::unique_ptr<Waiter> waiter;
    Shard shard;
    Home home;
  };
  // Envelopes that come together, for one shard; those for all are by shard, as far as there are some.
  struct Arriving {
    Shard::Chain chain;
    std::uint64_t bytes = 0;
  };
  void sort_in(EnvelopePtr envelope, std::vector<Arriving>& into);
  void arrive(unsigned shard, EnvelopePtr envelope, std::vector<Arriving>& into);
  void bring(std::vector<Arriving>& all) noexcept;
  void on_part(const link::PeerInfo& peer, const EnvelopeView& part);
  [[nodiscard]] bool fits(Envelope& envelope, std::uint64_t waiting) noexcept;
  void deliver_to_all(const Envelope& signal, std::vector<Arriving>& into);
  [[nodiscard]] bool admits(const link::PeerInfo& peer, Envelope& envelope);
  // "MESSAGE of type echo.EchoRequest"; the number of the type when nobody here knows it.
  [[nodiscard]] std::string what_was_sent(v1::Kind kind, TypeId type, std::string_view name) const;
  void run_thread(std::function<void()> what, const std::string& name);
  void await_threads();
  void stuck(const std::string& who) const;
  void run_shard(unsigned index);
  void run_shard0(Place& place);
  void run_watchdog_tasks();
  void keep();  // the keeper's thread
  static NodeOptions complete(NodeOptions options);

  static thread_local const Node* waiting_in_link_;  // whose shard 0 this thread is, while it waits
  bool brought_while_waiting_ = false;               // something to any shard. That thread only

  NodeOptions options_;
  StallLog stalls_;
  std::atomic<TrafficObserver*> observer_{nullptr};
  link::Links links_;
  std::vector<std::unique_ptr<Place>> places_;
  // In the frame that the link reads, with whose lock they are used.
  std::vector<Arriving> arriving_;
  PeerAccount* arriving_answers_ = nullptr;  // whose; null: there are none
  std::vector<std::unique_ptr<Service>> services_;
  OffloadPool pool_;  // behind what its functions come back to: it joins first
  std::unordered_map<std::string_view, Method> methods_;  // constant after start()
  std::map<std::string, Kind, std::less<>> kinds_;        // the same
  Resolver* resolver_ = nullptr;
  std::function<std::string(TypeId)> type_names_;
  std::vector<PeerListener*> listeners_;
  std::vector<WatchdogTask*> watchdog_tasks_;
  std::atomic<std::uint64_t> unanswered_{0};  // numbers those requests
  DeadLetters dead_letters_;
  PeerAccounts accounts_;
  PeerAccounts large_accounts_;   // of messages that came in parts
  PeerAccounts answer_accounts_;  // of answers and signals

  std::mutex denials_mutex_;
  link::RefusalLog denials_;  // guarded by denials_mutex_

  mutable std::mutex names_mutex_;
  std::map<std::string, Address, std::less<>> names_;  // guarded by names_mutex_

  std::uint64_t downs_ = 0;  // of peers; under the link's lock
  PartsIn parts_;            // the same

  std::vector<std::thread> threads_;
  std::mutex threads_mutex_;
  std::condition_variable thread_ended_;
  unsigned threads_running_ = 0;  // guarded by threads_mutex_
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::int64_t> shard0_attended_ns_{0};  // when it last came to the link; 0 while it waits there
  Rest rest_;                                        // of the keeper
};

template <class Function, class... Arguments>
  requires SpawnFunction<Function, Arguments...>
void Node::spawn(const char* kind, Function function, Arguments... arguments) {
  run_on(place(), [kind, function, ... arguments = std::move(arguments)](Home& home) mutable {
    home.arrived();
    home.spawn(kind, function, std::move(arguments)...);
  });
}

}  // namespace cobus
