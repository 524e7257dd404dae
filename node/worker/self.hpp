// SPDX-License-Identifier: Apache-2.0
//
// Self: what a worker's coroutine holds of its own worker: its address, receive, send, spawn. Taken by
// value. Valid inside that worker's coroutines and nowhere else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "node/runtime/await.hpp"
#include "node/runtime/task.hpp"
#include "node/worker/bonds.hpp"
#include "node/worker/envelope.hpp"
#include "node/worker/exit_reason.hpp"
#include "node/worker/home.hpp"
#include "node/worker/received.hpp"
#include "node/worker/rules.hpp"

namespace cobus {

// The wait for a message of certain types; see Self::receive.
template <class... Messages>
class [[nodiscard]] Receive {
 public:
  static constexpr AwaitKind awaits = AwaitKind::message;
  explicit Receive(Worker& worker, bool heeds_stop = true) noexcept
      : worker_(worker), heeds_stop_(heeds_stop) {}
  Receive(const Receive&) = delete;
  Receive& operator=(const Receive&) = delete;
  ~Receive() {
    if (waiting_) give_up();
  }
  [[nodiscard]] bool await_ready() noexcept {
    if (worker_.wants != nullptr || worker_.wakeup.linked()) [[unlikely]]
      return refused_ = true;
    if (heeds_stop_ && worker_.stop.requested()) return true;
    worker_.handed = worker_.take(&wanted);
    return worker_.handed != nullptr && worker_.shard->spend();
  }
  bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
    Strand& strand = Shard::strand();
    worker_.wakeup.coroutine = coroutine;
    worker_.wakeup.strand = &strand;
    if (worker_.handed != nullptr) {
      worker_.shard->ready_last(worker_.wakeup);
    } else {
      if (heeds_stop_ && strand.stop.requested()) return false;
      worker_.wants = &wanted;
      if (heeds_stop_) strand.stop.add(worker_.on_stop);
    }
    waiting_ = true;
    return true;
  }
  [[nodiscard]] Result<Received<Messages...>> await_resume() {
    if (refused_) [[unlikely]]
      return fail(Code::failed_precondition, "this worker waits in another receive() already: one at a time");
    waiting_ = false;
    EnvelopePtr envelope = std::move(worker_.handed);
    if (envelope == nullptr) return fail(nothing_came());
    return unpacked(worker_, std::move(envelope));
  }

 private:
  friend class Self;
  static bool wanted(const Envelope& envelope) noexcept {
    return ((envelope.type == type_id_of<Messages>()) || ...);
  }
  static Result<Received<Messages...>> unpacked(Worker& worker, EnvelopePtr envelope) {
    if (envelope->typed()) [[likely]]
      return Received<Messages...>(worker, std::move(envelope));
    return decoded(worker, std::move(envelope));
  }
  [[gnu::noinline]] static Result<Received<Messages...>> decoded(Worker& worker, EnvelopePtr envelope) {
    Status status;
    static_cast<void>(
        ((envelope->type == type_id_of<Messages>() ? (status = unpack<Messages>(envelope), true) : false) ||
         ...));
    if (!status.ok() && envelope->kind != v1::REQUEST) worker.malformed(*envelope);
    Received<Messages...> received(worker, std::move(envelope));
    if (status.ok()) return received;
    received.refuse(status);
    return fail(std::move(status));
  }
  [[nodiscard, gnu::noinline]] Status nothing_came() const {
    if (heeds_stop_ && Shard::strand().stop.requested())
      return {Code::cancelled, "stopped while it waited for a message"};
    return {Code::deadline_exceeded, "no message came in time"};
  }
  // The waiting frame is destroyed: what it was given and did not read is the next one's.
  void give_up() noexcept {
    worker_.wants = nullptr;
    worker_.wakeup.unlink();
    worker_.on_stop.unlink();
    if (worker_.handed != nullptr) worker_.mailbox.put_back(std::move(worker_.handed));
  }

  Worker& worker_;
  bool waiting_ = false;
  bool refused_ = false;
  const bool heeds_stop_;
};

// The same, at most for a while.
template <class... Messages>
class [[nodiscard]] TimedReceive : public Receive<Messages...> {
 public:
  TimedReceive(Worker& worker, Duration timeout, bool heeds_stop = true) noexcept
      : Receive<Messages...>(worker, heeds_stop), timer_(worker), timeout_(timeout) {}
  bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
    if (!Receive<Messages...>::await_suspend(coroutine)) return false;
    Shard& shard = *timer_.worker.shard;
    if (timeout_ >= Duration(0) && timer_.worker.handed == nullptr)
      shard.timers().start(timer_, deadline_after(shard.clock().now(), timeout_));
    return true;
  }
  [[nodiscard]] Result<Received<Messages...>> await_resume() {
    timer_.cancel();
    return Receive<Messages...>::await_resume();
  }

 private:
  struct OnTime : Timer {
    explicit OnTime(Worker& of) noexcept
        : Timer([](Timer& timer) { static_cast<OnTime&>(timer).worker.wake_empty(); }), worker(of) {}
    Worker& worker;
  } timer_;
  Duration timeout_;
};

// A send: completes at once when there is room, and waits for it while the receiver's mailbox is full.
class [[nodiscard]] Sent {
 public:
  static constexpr AwaitKind awaits = AwaitKind::mailbox;
  inline Sent(Worker& from, Address to, EnvelopePtr envelope);
  explicit Sent(Worker& from) noexcept : from_(from) {}  // it is sent
  Sent(const Sent&) = delete;
  Sent& operator=(const Sent&) = delete;
  ~Sent() {
    if (waiting_ != nullptr || envelope_ != nullptr) [[unlikely]]
      forget();
  }
  [[nodiscard]] bool await_ready() const noexcept { return envelope_ == nullptr && from_.shard->spend(); }
  bool await_suspend(std::coroutine_handle<> coroutine);
  [[nodiscard]] Status await_resume() {
    if (waiting_ != nullptr || envelope_ != nullptr) [[unlikely]]
      return outcome();
    return std::move(status_);
  }

 private:
  class ForRoom;
  void forget() noexcept;
  [[nodiscard]] Status outcome();
  Worker& from_;
  Address to_;
  EnvelopePtr envelope_;  // null: it is sent, or will never be
  Status status_;
  ForRoom* waiting_ = nullptr;  // owned
};

// What spawn_monitor gives.
struct Spawned {
  Address address;
  MonitorRef monitor;
};

class Self {
 public:
  explicit Self(Worker& worker) noexcept : worker_(reinterpret_cast<std::uintptr_t>(&worker)) {}
  // For the first coroutine of a worker, whose frame lies in the worker's own memory.
  struct Newborn {};
  static constexpr Newborn newborn{};
  Self(Worker& worker, Newborn) noexcept : worker_(reinterpret_cast<std::uintptr_t>(&worker) | newborn_bit) {}
  Self(const Self& other) noexcept : worker_(other.worker_ & ~newborn_bit) {}
  Self& operator=(const Self& other) noexcept {
    worker_ = other.worker_ & ~newborn_bit;
    return *this;
  }
  ~Self() = default;

  [[nodiscard]] Address address() const noexcept { return Address{worker().home().node_id(), worker().id}; }
  [[nodiscard]] Node& node() const noexcept { return worker().home().node(); }
  [[nodiscard]] Worker& worker() const noexcept { return *reinterpret_cast<Worker*>(worker_ & ~newborn_bit); }
  [[nodiscard]] bool stop_requested() const noexcept { return worker().stop.requested(); }

  // The next message of one of the types; others stay queued in order. CANCELLED once the worker is asked to
  // stop, also with messages waiting; INVALID_ARGUMENT for a message whose bytes are malformed (it is a dead
  // letter then); FAILED_PRECONDITION while another coroutine of this worker waits in a receive.
  template <ProtobufMessage... Messages>
  [[nodiscard]] Receive<Messages...> receive() const noexcept {
    return Receive<Messages...>(worker());
  }
  // The same; DEADLINE_EXCEEDED after `timeout` (negative: none).
  template <ProtobufMessage... Messages>
  [[nodiscard]] TimedReceive<Messages...> receive(Duration timeout) const noexcept {
    return TimedReceive<Messages...>(worker(), timeout);
  }

  // The same without waiting: nothing when none has come. One whose bytes are malformed is passed over, as a
  // dead letter.
  template <ProtobufMessage... Messages>
  [[nodiscard]] std::optional<Received<Messages...>> try_receive() const {
    while (EnvelopePtr envelope = worker().take(&Receive<Messages...>::wanted)) {
      if (Result<Received<Messages...>> received =
              Receive<Messages...>::unpacked(worker(), std::move(envelope)))
        return std::move(*received);
    }
    return std::nullopt;
  }

  // The same, deaf to a stop: for what has to be waited for before this worker may end.
  template <ProtobufMessage... Messages>
  [[nodiscard]] TimedReceive<Messages...> receive_uncancelled(Duration timeout) const noexcept {
    return TimedReceive<Messages...>(worker(), timeout, false);
  }

  // Sends to a worker, here or elsewhere. Ok: it is on its way, in order with all else sent to that worker.
  // INVALID_ARGUMENT for an empty address, OUT_OF_RANGE for a message that is too large, NOT_FOUND when the
  // receiver is known to be gone (then it is a dead letter, as it is when that is found out later).
  // Waits for room while the receiver's mailbox is full, or known to be when it is elsewhere; CANCELLED when
  // this worker is asked to stop meanwhile, and UNAVAILABLE when the receiver's node is lost: then it was not
  // sent. RESOURCE_EXHAUSTED to oneself with a full mailbox.
  template <ProtobufMessage Message>
  [[nodiscard]] Sent send(Address to, Message&& message) const {
    if (to.node != worker().home().node_id()) {
      if (sent_at_once(to, message)) return Sent(worker());
      if (EnvelopePtr large = written(to, message)) return Sent(worker(), to, std::move(large));
    }
    return Sent(worker(), to, enclose(std::forward<Message>(message)));
  }
  // The same without waiting: RESOURCE_EXHAUSTED when the mailbox is known to be full.
  template <ProtobufMessage Message>
  [[nodiscard]] Status try_send(Address to, Message&& message) const {
    if (to.node != worker().home().node_id() && sent_at_once(to, message)) return {};
    EnvelopePtr envelope = enclose(std::forward<Message>(message));
    return dispatch(to, envelope);
  }
  // To the worker that is registered under `name` at `node`. A dead letter when there is none. Never waits:
  // RESOURCE_EXHAUSTED when it is of this node and its mailbox is known to be full.
  template <ProtobufMessage Message>
  [[nodiscard]] Status send_to_name(NodeId node, std::string name, Message&& message) const {
    EnvelopePtr envelope = enclose(std::forward<Message>(message));
    envelope->extra().to_name = std::move(name);
    return dispatch(Address{node, WorkerId{}}, envelope);
  }

  // A new worker on this shard that runs `function(Self, arguments...)`, a coroutine function that captures
  // nothing and takes its parameters by value, for they outlive this call (rules.hpp). Gives its
  // address at once; it starts when this worker waits. `kind` names it in reports; static storage.
  // Throws std::bad_alloc, and whatever the function throws before its first suspension.
  template <class Function, class... Arguments>
    requires SpawnFunction<Function, Arguments...>
  Address spawn(const char* kind, Function function, Arguments... arguments) const;
  // The same, monitored or linked from its first instant.
  template <class Function, class... Arguments>
    requires SpawnFunction<Function, Arguments...>
  Spawned spawn_monitor(const char* kind, Function function, Arguments... arguments) const;
  template <class Function, class... Arguments>
    requires SpawnFunction<Function, Arguments...>
  Address spawn_link(const char* kind, Function function, Arguments... arguments) const;

  // Exactly one v1::Down tells when `target` has ended, with the reason, behind all that it sent here
  // before; at once, with reason `noproc`, when there is no such worker. `noconnection` when its node is
  // lost.
  [[nodiscard]] MonitorRef monitor(Address target) const;
  // No Down of this monitor comes any more, also none that waits already.
  void demonitor(MonitorRef monitor) const noexcept;
  // When one of the two ends abnormally, the other ends with the same reason, unless it traps exits.
  // Idempotent. Linking to a worker that is gone is an exit with reason `noproc`.
  void link(Address peer) const;
  void unlink(Address peer) const noexcept;
  // From now on the exits of linked workers, and those that others send, come as v1::Exit messages.
  void trap_exits(bool trap) const;
  // Sends an exit. exit_reason::kill() cannot be trapped; a normal one only those who trap notice.
  void exit(Address target, Status reason) const;
  // The reason that this worker ends with once its function returns; normal, or shutdown after a stop,
  // without.
  void end_with(Status reason) const;
  // One v1::NodeDown when the session with `node` ends or cannot be made, after all Downs and Exits of its
  // workers.
  void monitor_node(NodeId node) const;

  // Makes this worker known under `name` at its node, until it ends. ALREADY_EXISTS, and
  // FAILED_PRECONDITION when it has a name.
  [[nodiscard]] Status register_name(std::string name) const;
  // The worker of this node with that name; empty when there is none.
  [[nodiscard]] Address whereis(std::string_view name) const;
  // Other bounds for this worker's mailbox.
  void limit_mailbox(MailboxLimits limits) const;

  // Asks this worker to stop: its waits end with CANCELLED.
  void stop() const noexcept { worker().stop.request(); }

  // Memory for the frame of a newborn worker's coroutine (node/runtime/task.hpp).
  [[nodiscard]] void* room_for_frame(std::size_t bytes) const noexcept {
    return (worker_ & newborn_bit) != 0 ? worker().room_for_frame(bytes) : nullptr;
  }

 private:
  friend class Sent;
  static constexpr std::uintptr_t newborn_bit = 1;
  template <class Message>
  [[nodiscard]] static EnvelopePtr enclose(Message&& message) {
    return std::make_unique<TypedEnvelope<std::remove_cvref_t<Message>>>(std::forward<Message>(message));
  }
  // Whether it has gone to another node, without an envelope of its own.
  template <class Message>
  [[nodiscard]] bool sent_at_once(Address to, const Message& message) const {
    BorrowedEnvelope<Message> borrowed(message);
    borrowed.from = address();
    borrowed.to = to.worker;
    return worker().home().send_at_once(to.node, borrowed);
  }
  // What a large message to another node waits in when it has not.
  template <class Message>
  [[nodiscard, gnu::noinline]] EnvelopePtr written(Address to, const Message& message) const {
    BorrowedEnvelope<Message> borrowed(message);
    borrowed.from = address();
    borrowed.to = to.worker;
    return WrittenEnvelope::of(borrowed);
  }
  // RESOURCE_EXHAUSTED: `envelope` is still the caller's.
  [[nodiscard, gnu::always_inline]] Status dispatch(Address to, EnvelopePtr& envelope) const {
    Home& home = worker().home();
    envelope->from = address();
    envelope->to = to.worker;
    if (home.reach_here(to.node, to.worker, envelope)) [[likely]]
      return {};
    return dispatch_otherwise(to, envelope);
  }
  [[nodiscard]] Status dispatch_otherwise(Address to, EnvelopePtr& envelope) const;

  std::uintptr_t worker_;
};

inline Sent::Sent(Worker& from, Address to, EnvelopePtr envelope)
    : from_(from), to_(to), envelope_(std::move(envelope)) {
  status_ = Self(from).dispatch(to, envelope_);
  if (!status_.ok() && status_.code() != Code::resource_exhausted) envelope_.reset();
}

template <class Function, class... Arguments>
Worker& Home::spawn(const char* kind, Function& function, Arguments&&... arguments) {
  Worker& made = make_worker(kind);
  try {
    start(made, function(Self(made, Self::newborn), std::forward<Arguments>(arguments)...));
  } catch (...) {
    end(made, exit_reason::crash("it could not be started"));
    throw;
  }
  return made;
}

template <class Function, class... Arguments>
  requires SpawnFunction<Function, Arguments...>
Address Self::spawn(const char* kind, Function function, Arguments... arguments) const {
  Worker& made = worker().home().spawn(kind, function, std::move(arguments)...);
  made.parent = worker().id;
  return Self(made).address();
}

template <class Function, class... Arguments>
  requires SpawnFunction<Function, Arguments...>
Spawned Self::spawn_monitor(const char* kind, Function function, Arguments... arguments) const {
  const Address made = spawn(kind, std::move(function), std::move(arguments)...);
  return {made, monitor(made)};  // it has not run yet
}

template <class Function, class... Arguments>
  requires SpawnFunction<Function, Arguments...>
Address Self::spawn_link(const char* kind, Function function, Arguments... arguments) const {
  const Address made = spawn(kind, std::move(function), std::move(arguments)...);
  link(made);
  return made;
}

}  // namespace cobus
