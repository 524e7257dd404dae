// SPDX-License-Identifier: Apache-2.0
#include "node/worker/home.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "node/worker/dead_letter.hpp"
#include "node/worker/exit_reason.hpp"
#include "node/worker/node.hpp"
#include "node/worker/service.hpp"

namespace cobus {
namespace {

// A larger frame has an allocation of its own: the pool does not keep so large blocks.
constexpr std::size_t frame_bytes_inside_max = 1600;

std::string what_of(const std::exception_ptr& thrown) noexcept {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "something that is not a std::exception";
  }
}

}  // namespace

// Runs for as long as the home: each time it is resumed, the worker that runs has come to its end.
struct Home::Ender {
  struct promise_type {
    Ender get_return_object() noexcept {
      return Ender(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
  explicit Ender(std::coroutine_handle<> handle) noexcept : frame(handle) {}
  Ender(Ender&& other) noexcept : frame(std::exchange(other.frame, {})) {}
  Ender& operator=(Ender&&) = delete;
  ~Ender() {
    if (frame) frame.destroy();
  }
  static Ender run(Home* home) {
    for (;;) {
      co_await std::suspend_always{};
      home->finish(Home::running());
    }
  }
  std::coroutine_handle<> frame;
};

Home::Home(Node& node, Shard& shard) noexcept : node_(node), shard_(shard) {}
Home::~Home() { end_all(); }

Home::Ender& Home::ender() {
  if (ender_ == nullptr) ender_ = std::make_unique<Ender>(Ender::run(this));
  return *ender_;
}

Home::FrameSize& Home::frame_size_of(const char* kind) noexcept {
  return frame_sizes_[(reinterpret_cast<std::uintptr_t>(kind) >> 3) % frame_sizes_.size()];
}

void Home::learn_frame_size(const char* kind, std::size_t bytes) noexcept {
  frame_size_of(kind) =
      FrameSize{kind, bytes <= frame_bytes_inside_max ? static_cast<std::uint32_t>(bytes) : 0};
}

Worker& Home::make_worker(const char* kind) {
  if (free_slots_.empty()) {
    COBUS_CHECK(slots_ <= 0xffffff);
    if (slots_ % slots_per_chunk == 0 && slots_ / slots_per_chunk == chunks_.size()) {
      free_slots_.reserve((chunks_.size() + 1) * slots_per_chunk);  // so that release() cannot fail
      chunks_.push_back(std::make_unique<Chunk>());
    }
    free_slots_.push_back(slots_++);
  }
  const std::uint32_t index = free_slots_.back();
  Slot& its = slot(index);
  const std::uint32_t generation = its.generation == 0xffffffff ? 1 : its.generation + 1;
  const FrameSize& learned = frame_size_of(kind);
  its.worker = Worker::make(*this, WorkerId::make(shard_.index(), index, generation), kind,
                            learned.kind == kind ? learned.bytes : 0);
  its.generation = generation;
  free_slots_.pop_back();
  live_.store(live_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return *its.worker;
}

void Home::start(Worker& worker, Task<> body) {
  worker.body = body.release();
  worker.body.promise().continuation = ender().frame;
  worker.wakeup.coroutine = worker.body;
  shard_.ready_last(worker.wakeup);  // workers start in the order in which they were spawned
}

Worker* Home::find(WorkerId id) noexcept {
  if (id.index() >= slots_) return nullptr;
  const Slot& its = slot(id.index());
  return its.generation == id.generation() ? its.worker : nullptr;
}

void Home::finish(Worker& worker) noexcept {
  Status reason = worker.stop.requested() ? exit_reason::shutdown() : exit_reason::normal();
  if (worker.bonds != nullptr && !worker.bonds->end_reason.ok()) reason = std::move(worker.bonds->end_reason);
  if (const std::exception_ptr thrown = worker.body.promise().exception) {
    reason = exit_reason::crash(what_of(thrown));
    spdlog::error("worker {} ({}) ended by an exception: {}", to_string(worker.id), worker.kind,
                  reason.message());
  }
  release(worker, reason);
}

void Home::release(Worker& worker, const Status& reason) noexcept {
  Slot& its = slot(worker.id.index());
  its.worker = nullptr;
  free_slots_.push_back(worker.id.index());
  live_.store(live_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  // From here on it is gone for everybody. What it still says while its frames are destroyed comes before
  // the news of its end.
  if (worker.body) worker.destroy_body();
  if (worker.handles_call) forget_unstarted_call(worker);
  while (EnvelopePtr unread = worker.mailbox.take_any()) {
    if (unread->kind == v1::REQUEST) refuse(*unread, Status(Code::unavailable, "the worker ended"));
  }
  if (!senders_.empty()) let_senders_in(worker);
  if (worker.bonds != nullptr) dissolve(worker, reason);
  worker.destroy();
}

void Home::end(Worker& worker, Status reason) noexcept {
  if (Shard::current() != &shard_ || !shard_.runs(worker)) return release(worker, reason);
  node_.run_on(shard_.index(), [id = worker.id, reason = std::move(reason)](Home& home) {
    if (Worker* still = home.find(id)) home.release(*still, reason);
  });
}

template <class Visit>
void Home::each_worker(Visit&& visit) {
  for (std::uint32_t index = 0; index < slots_; ++index) {
    if (Worker* worker = slot(index).worker) visit(*worker);
  }
}

void Home::stop_all() noexcept {
  each_worker([](Worker& worker) { worker.stop.request(); });
}

void Home::stop_idle() noexcept {
  each_worker([](Worker& worker) {
    if (worker.handled == nullptr || worker.handled->streaming()) worker.stop.request();
  });
}

void Home::end_all() noexcept {
  while (live_.load(std::memory_order_relaxed) != 0) {
    each_worker([this](Worker& worker) { release(worker, exit_reason::shutdown("its node stopped")); });
  }
}

void Home::receive(EnvelopePtr envelope) noexcept {
  if (goes_upstream(*envelope)) return receive_upstream(std::move(envelope));
  switch (envelope->kind) {
    case v1::REPLY:
    case v1::ITEM:
    case v1::END:
    case v1::ERROR:
      return answer(std::move(envelope));
    case v1::CANCEL: {
      const auto found = handled_.find(CallKey{envelope->from, envelope->call});
      if (found != handled_.end()) found->second->stop.request();
      return;
    }
    case v1::CREDIT: {
      Worker* worker = find(envelope->to);
      if (worker != nullptr && worker->handled != nullptr)
        worker->handled->credited(envelope->from, envelope->call, envelope->extra().credit);
      return;
    }
    case v1::REQUEST:
      if (!envelope->to) return begin_call(std::move(envelope));
      if (const v1::Role role = envelope->extra().caller.role; role != v1::NODE && role != v1::ADMIN) {
        return refuse(*envelope,
                      Status(Code::permission_denied, "the role '" + std::string(link::role_name(role)) +
                                                          "' may not address a worker"));
      }
      return receive_message(std::move(envelope));
    case v1::MESSAGE:
      return receive_message(std::move(envelope));
    case v1::MONITOR:
    case v1::DEMONITOR:
    case v1::DOWN:
    case v1::LINK:
    case v1::UNLINK:
    case v1::UNLINK_ACK:
    case v1::EXIT:
      return receive_signal(std::move(envelope));
    default:
      return node_.dead_letter(DeadLetter::unknown_kind, *envelope);
  }
}

void Home::receive_message(EnvelopePtr envelope) noexcept {
  Worker* const worker = find(envelope->to);
  if (worker == nullptr) {
    node_.dead_letter(DeadLetter::no_such_worker, *envelope);
    if (envelope->kind == v1::REQUEST) refuse(*envelope, exit_reason::noproc());
    return;
  }
  if (!worker->takes(*envelope)) [[unlikely]]
    return find_no_room(*worker, std::move(envelope));
  reach(*worker, std::move(envelope));
}

void Home::reach(Worker& worker, EnvelopePtr envelope) noexcept {
  ++worker.received;
  if (worker.wants != nullptr && worker.wants(*envelope)) {
    worker.hand_over(std::move(envelope));
  } else {
    worker.mailbox.push(std::move(envelope));
  }
}

void Home::find_no_room(Worker& worker, EnvelopePtr envelope) noexcept {
  switch (worker.mailbox.limits().overflow) {
    case Overflow::drop_oldest: {
      // Whatever it takes: one large message may need the room of many small ones.
      while (!worker.mailbox.has_room_for(*envelope)) {
        EnvelopePtr oldest = worker.mailbox.take_first([](const Envelope& at) { return !at.of_runtime; });
        if (oldest == nullptr) oldest = std::move(envelope);  // it has no room even in an empty mailbox
        node_.dead_letter(DeadLetter::mailbox_full, *oldest);
        if (oldest->kind == v1::REQUEST)
          refuse(*oldest, Status(Code::resource_exhausted, "newer requests took its place"));
        if (envelope == nullptr) return;
      }
      return reach(worker, std::move(envelope));
    }
    case Overflow::end_worker:
      node_.dead_letter(DeadLetter::mailbox_full, *envelope);
      if (envelope->kind == v1::REQUEST) refuse(*envelope, exit_reason::overload());
      return end(worker, exit_reason::overload());
    case Overflow::reject:
    case Overflow::drop_newest:
      node_.dead_letter(DeadLetter::mailbox_full, *envelope);
      if (envelope->kind == v1::REQUEST)
        refuse(*envelope, Status(Code::resource_exhausted, "the worker's mailbox is full"));
      return;
  }
}

Status Home::try_send(NodeId to_node, EnvelopePtr& envelope) {
  if (to_node == node_.id() && envelope->to.shard() == shard_.index() && envelope->to) {
    Worker* const worker = find(envelope->to);
    if (worker == nullptr) {
      node_.dead_letter(DeadLetter::no_such_worker, *envelope);
      return exit_reason::noproc();
    }
    if (worker->mailbox.limits().overflow == Overflow::reject && !worker->takes(*envelope)) {
      return {Code::resource_exhausted, "the worker's mailbox is full"};
    }
  }
  send(to_node, std::move(envelope));
  return {};
}

void Home::send_when_there_is_room(WorkerId to, SendInWaiting& waiting) {
  senders_[to].push_back(waiting);
  if (Worker* worker = find(to)) worker->senders_wait = true;
}

// Of a worker that took a message, or that is gone.
void Home::let_senders_in(Worker& worker) noexcept {
  const auto found = senders_.find(worker.id);
  if (found == senders_.end()) return;
  const bool gone = find(worker.id) == nullptr;
  while (!found->second.empty()) {
    SendInWaiting& first = found->second.front();
    if (!gone && !worker.mailbox.has_room_for(*first.envelope)) return;
    first.unlink();
    if (gone) {
      node_.dead_letter(DeadLetter::no_such_worker, *first.envelope);
      first.sent(exit_reason::noproc());
    } else {
      reach(worker, std::move(first.envelope));
      first.sent({});
    }
  }
  worker.senders_wait = false;
  senders_.erase(found);
}

void Home::send(NodeId to_node, EnvelopePtr envelope) {
  if (node_.observer() != nullptr) node_.show(*envelope, to_node);
  if (to_node == node_.id()) {
    unsigned to_shard = envelope->to.shard();
    if (!envelope->to) {
      if (envelope->kind == v1::CANCEL || envelope->kind == v1::MESSAGE)
        return node_.deliver(std::move(envelope));
      if (envelope->kind == v1::REQUEST) envelope->extra().caller = Caller{node_.name(), node_.role()};
      to_shard = envelope->kind == v1::REQUEST ? node_.least_loaded() : shard_.index();
    }
    if (to_shard == shard_.index()) return receive(std::move(envelope));
    if (to_shard < node_.shards()) {
      node_.home(to_shard).shard().post(envelope.release());
    } else {
      node_.dead_letter(DeadLetter::no_such_worker, *envelope);
      if (envelope->kind == v1::MONITOR)
        send_signal(v1::DOWN, {node_.id(), envelope->to}, envelope->from, envelope->call,
                    exit_reason::noproc());
    }
    return;
  }
  const std::size_t size = envelope->payload_size();
  std::string status;
  if (size > limits::payload_bytes_max) {
    const Status too_large(Code::out_of_range, "a message of " + std::to_string(size) +
                                                   " bytes is above the limit of " +
                                                   std::to_string(limits::payload_bytes_max));
    if (envelope->kind == v1::REQUEST) return refuse(*envelope, too_large, to_node);
    auto error = std::make_unique<SignalEnvelope>();
    error->kind = v1::ERROR;
    error->from = envelope->from;
    error->to = envelope->to;
    error->call = envelope->call;
    error->extra().status = too_large;
    return send(to_node, std::move(error));
  }
  std::string& chunk = outgoing_[to_node];
  const EnvelopeHeader header = wire_header(*envelope, shard_.clock().now(), status);
  if (!chunk.empty() && chunk.size() + envelope_size(header, size) > limits::frame_bytes_target) {
    node_.links().submit(to_node, std::exchange(chunk, {}));
  }
  append_envelope(chunk, header, size, [&envelope](std::uint8_t* into) { envelope->write_payload(into); });
}

void Home::flush() {
  if (outgoing_.empty()) return;
  for (auto& [to_node, chunk] : outgoing_) {
    if (!chunk.empty()) node_.links().submit(to_node, std::move(chunk));
  }
  outgoing_.clear();
  if (shard_.index() != 0) node_.links().wake();
}

}  // namespace cobus
