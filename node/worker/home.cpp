// SPDX-License-Identifier: Apache-2.0
#include "node/worker/home.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>

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

Home::Home(Node& node, Shard& shard) noexcept
    : node_(node), node_id_(node.id()), observer_(node.observer_), shard_(shard) {}
Home::~Home() {
  end_all();
  // What is left waits for nobody's sake, and owns itself.
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (PendingCall* const call = calls_[i].call) {
      remove_call(*call);
      auto error = std::make_unique<SignalEnvelope>();
      error->kind = v1::ERROR;
      call->answered(std::move(error));
    }
  }
}

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
  if (!body) throw std::invalid_argument("a worker's function gave an empty task");
  worker.body = body.release();
  worker.body.promise().continuation = ender().frame;
  worker.wakeup.coroutine = worker.body;
  shard_.ready_last(worker.wakeup);  // workers start in the order in which they were spawned
}

bool Home::has_ended(WorkerId id) noexcept {
  if (id.index() >= slots_ || find(id) != nullptr) return false;
  return id.generation() != 0 && id.generation() <= slot(id.index()).generation;
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
  release_alone(worker, reason);
  if (ending_ != nullptr || taking_along_) return;
  taking_along_ = true;
  while (!ends_.empty()) {
    auto [id, why] = std::move(ends_.front());
    ends_.pop_front();
    if (Worker* next = find(id)) release_alone(*next, why);
  }
  taking_along_ = false;
}

void Home::release_alone(Worker& worker, const Status& reason) noexcept {
  Slot& its = slot(worker.id.index());
  its.worker = nullptr;
  free_slots_.push_back(worker.id.index());
  live_.store(live_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  // From here on it is gone for everybody. What it still says while its frames are destroyed comes before
  // the news of its end.
  const Worker* const outer = std::exchange(ending_, &worker);
  const Status* const outer_reason = std::exchange(ending_reason_, &reason);
  if (worker.body) worker.destroy_body();
  if (worker.handles_call) forget_unstarted_call(worker);
  while (EnvelopePtr unread = worker.mailbox.take_any()) {
    if (unread->kind == v1::REQUEST) {
      unanswered(worker, std::move(unread));
    } else if (!unread->of_runtime) {
      node_.dead_letter(DeadLetter::unread, *unread);
    }
  }
  if (worker.owes_answers) answer_abandoned(worker, &reason);
  if (worker.senders_wait) let_senders_in(worker);
  if (worker.bonds != nullptr) dissolve(worker, reason);
  ending_ = outer;
  ending_reason_ = outer_reason;
  worker.destroy();
}

void Home::end(Worker& worker, Status reason) noexcept {
  if (Shard::current() == &shard_ && shard_.runs(worker)) {
    // As soon as it waits; if it returns before that, with this reason all the same.
    if (worker.ending) return;
    worker.ending = true;
    worker.bonded().end_reason = std::move(reason);
    return node_.run_on(shard_.index(), [id = worker.id](Home& home) {
      if (Worker* still = home.find(id)) home.release(*still, Status(still->bonds->end_reason));
    });
  }
  if (ending_ == nullptr) return release(worker, reason);
  // Those that an end takes along wait until it is done: a chain of links would be as deep on the stack.
  ends_.emplace_back(worker.id, std::move(reason));
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
    const bool ends_by_itself =
        worker.handled != nullptr ? !worker.handled->streaming() : worker.handles_call || worker.stops_last;
    if (!ends_by_itself) worker.stop.request();
  });
}

void Home::end_all() noexcept {
  while (live_.load(std::memory_order_relaxed) != 0) {
    each_worker([this](Worker& worker) { release(worker, exit_reason::shutdown("its node stopped")); });
  }
}

Home::Held Home::held() const {
  Held held;
  held.workers = workers();
  held.calls_waiting = calls_.size() - free_calls_.size();
  held.calls_handled = handled_.size();
  for (const auto& [node, ties] : tied_) held.ties += ties.bonds;
  for (const auto& [node, watchers] : node_watchers_) held.node_watchers += watchers.size();
  held.senders_waiting =
      senders_.size() + behind_.size() + large_behind_.size() + (far_senders_.empty() ? 0 : 1);
  held.told_full = told_full_.size();
  for (const auto& [node, workers] : full_elsewhere_) {
    held.full_elsewhere += workers.size();
    for (const auto& [id, full] : workers) held.senders_waiting += full.waiting.empty() ? 0 : 1;
  }
  held.outgoing_bytes = outbound_.bytes();
  for (const auto& [node, parts] : parts_) held.outgoing_bytes += parts.bytes;
  return held;
}

// Memory that cannot be had costs the message, not the node.
void Home::receive(EnvelopePtr envelope) noexcept {
  const Address from = envelope->from;
  const WorkerId to = envelope->to;
  const TypeId type = envelope->type;
  try {
    take_in(std::move(envelope));
  } catch (const std::bad_alloc&) {
    SignalEnvelope lost;
    lost.from = from;
    lost.to = to;
    lost.type = type;
    node_.dead_letter(DeadLetter::no_memory, lost);
  }
}

void Home::take_in(EnvelopePtr envelope) {
  if (goes_upstream(*envelope)) return receive_upstream(std::move(envelope));
  switch (envelope->kind) {
    case v1::REPLY:
    case v1::ITEM:
    case v1::END:
    case v1::ERROR:
      return answer(std::move(envelope));
    case v1::CANCEL: {
      if (envelope->to) return forget_request(*envelope);
      const auto found = handled_.find(CallKey{envelope->from, envelope->call});
      if (found != handled_.end()) found->second->stop.request();
      return;
    }
    case v1::CREDIT: {
      if (envelope->call == 0 && !envelope->to) return room_told(*envelope);
      if (envelope->call == 0 && (envelope->from.node == node_id_ || !envelope->from.worker))
        return room_asked(*envelope);
      Worker* worker = find(envelope->to);
      if (worker != nullptr && worker->handled != nullptr)
        worker->handled->credited(envelope->from, envelope->call, envelope->extra().credit);
      return;
    }
    case v1::REQUEST:
      if (!envelope->to) {
        arrived();
        if (!envelope->extra().status.ok()) return refuse(*envelope, envelope->extra().status);
        return begin_call(std::move(envelope));
      }
      if (!envelope->extra().status.ok()) return refuse(*envelope, envelope->extra().status);
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
      // Of a newer release, perhaps. Who gave it a number waits for something.
      if (envelope->from.worker && envelope->call != 0)
        refuse(*envelope, Status(Code::unimplemented, "kind " + std::to_string(envelope->kind) +
                                                          " is not known to node " + node_.name()));
      return node_.dead_letter(DeadLetter::unknown_kind, *envelope);
  }
}

void Home::receive_message(EnvelopePtr envelope) {
  Worker* const worker = find(envelope->to);
  if (worker == nullptr) {
    node_.dead_letter(DeadLetter::no_such_worker, *envelope);
    if (envelope->kind == v1::REQUEST) refuse(*envelope, exit_reason::noproc());
    return;
  }
  if (envelope->crowds) [[unlikely]]
    message_from_crowd(*worker, *envelope);
  if (!reach_at_once(*worker, envelope)) [[unlikely]]
    find_no_room(*worker, std::move(envelope));
}

void Home::find_no_room(Worker& worker, EnvelopePtr envelope) {
  switch (worker.mailbox.limits().overflow) {
    case Overflow::drop_oldest: {
      // Whatever it takes: one large message may need the room of many small ones.
      while (!worker.mailbox.has_room_for(*envelope)) {
        EnvelopePtr oldest;  // none for one that has no room even in an empty mailbox
        if (worker.mailbox.could_hold(*envelope))
          oldest = worker.mailbox.take_first([](const Envelope& at) { return !at.of_runtime; });
        if (oldest == nullptr) oldest = std::move(envelope);
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
      if (envelope->kind == v1::MESSAGE && take_beyond(worker, envelope)) return;
      [[fallthrough]];
    case Overflow::drop_newest:
      node_.dead_letter(DeadLetter::mailbox_full, *envelope);
      if (envelope->kind == v1::REQUEST)
        refuse(*envelope, Status(Code::resource_exhausted, "the worker's mailbox is full"));
      return;
  }
}

}  // namespace cobus
