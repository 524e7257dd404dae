// SPDX-License-Identifier: Apache-2.0
#include "node/worker/home.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "node/worker/node.hpp"
#include "node/worker/service.hpp"

namespace cobus {
namespace {

// Calls that one shard handles at once; above it is a flood.
constexpr std::size_t handled_calls_max = 100'000;

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

Worker& Home::make_worker(const char* kind) {
  std::uint32_t index = 0;
  if (free_slots_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    COBUS_CHECK(index <= 0xffffff);
    slots_.emplace_back();
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  Slot& slot = slots_[index];
  if (++slot.generation == 0) slot.generation = 1;
  slot.worker = new Worker(*this, WorkerId::make(shard_.index(), index, slot.generation), kind);
  all_.push_back(*slot.worker);
  live_.store(live_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return *slot.worker;
}

void Home::start(Worker& worker, Task<> body) {
  worker.body = body.release();
  worker.body.promise().continuation = ender().frame;
  worker.start.coroutine = worker.body;
  worker.start.strand = &worker;
  shard_.ready(worker.start);
}

Worker* Home::find(WorkerId id) noexcept {
  if (id.index() >= slots_.size()) return nullptr;
  const Slot& slot = slots_[id.index()];
  return slot.generation == id.generation() ? slot.worker : nullptr;
}

void Home::finish(Worker& worker) noexcept {
  if (const std::exception_ptr thrown = worker.body.promise().exception) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
      spdlog::error("worker {} ({}) ended by an exception: {}", to_string(worker.id), worker.kind,
                    error.what());
    } catch (...) {
      spdlog::error("worker {} ({}) ended by an exception of unknown type", to_string(worker.id),
                    worker.kind);
    }
  }
  release(worker);
}

void Home::release(Worker& worker) noexcept {
  Slot& slot = slots_[worker.id.index()];
  slot.worker = nullptr;
  free_slots_.push_back(worker.id.index());
  live_.store(live_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  while (EnvelopePtr unread = worker.mailbox.take_first(nullptr, 0)) {
    if (unread->kind == v1::REQUEST) refuse(*unread, Status(Code::unavailable, "the worker ended"));
  }
  delete &worker;
}

void Home::end(Worker& worker) noexcept { release(worker); }

void Home::stop_all() noexcept {
  all_.each([](Worker& worker) { worker.stop.request(); });
}

void Home::stop_idle() noexcept {
  all_.each([](Worker& worker) {
    if (worker.handled == nullptr || worker.handled->streaming()) worker.stop.request();
  });
}

void Home::end_all() noexcept {
  while (!all_.empty()) release(all_.front());
}

void Home::receive(EnvelopePtr envelope) noexcept {
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
        worker->handled->credited(envelope->extra().credit);
      return;
    }
    case v1::REQUEST:
      if (!envelope->to) return begin_call(std::move(envelope));
      break;
    default:
      break;
  }
  Worker* worker = find(envelope->to);
  if (worker == nullptr) {
    node_.count_dead_letter();
    if (envelope->kind == v1::REQUEST)
      refuse(*envelope, Status(Code::not_found, "no such worker: it has ended"));
    return;
  }
  Envelope& arrived = *envelope;
  if (!worker->mailbox.push(envelope)) {
    node_.count_dead_letter();
    if (envelope->kind == v1::REQUEST)
      refuse(*envelope, Status(Code::resource_exhausted, "the worker's mailbox is full"));
    return;
  }
  if (worker->receiver != nullptr) worker->receiver->arrived(arrived);
}

void Home::answer(EnvelopePtr envelope) noexcept {
  const std::uint32_t index = static_cast<std::uint32_t>(envelope->call) & 0xffffff;
  PendingCall* call = index < calls_.size() ? calls_[index].call : nullptr;
  // Only who was asked may answer; what fails on the way there is answered in its name.
  if (call == nullptr || call->id != envelope->call || call->callee != envelope->from.node) {
    ++late_replies_;
    return;
  }
  if (envelope->kind != v1::ITEM) remove_call(*call);
  call->answered(std::move(envelope));
}

void Home::add_call(PendingCall& call) {
  std::uint32_t index = 0;
  if (free_calls_.empty()) {
    index = static_cast<std::uint32_t>(calls_.size());
    COBUS_CHECK(index <= 0xffffff);
    calls_.emplace_back();
  } else {
    index = free_calls_.back();
    free_calls_.pop_back();
  }
  calls_[index].call = &call;
  call.id = (++calls_[index].generation << 24) | index;
}

void Home::remove_call(PendingCall& call) noexcept {
  if (call.id == 0) return;
  const auto index = static_cast<std::uint32_t>(call.id & 0xffffff);
  if (index >= calls_.size() || calls_[index].call != &call) return;
  calls_[index].call = nullptr;
  free_calls_.push_back(index);
}

void Home::refuse(const Envelope& request, Status status, NodeId in_name_of) noexcept {
  if (!request.from) return;
  auto error = std::make_unique<SignalEnvelope>();
  error->kind = v1::ERROR;
  error->flags = request.flags & v1::HIDDEN;
  error->from.node = in_name_of == NodeId::none ? node_.id() : in_name_of;
  error->to = request.from.worker;
  error->call = request.call;
  error->extra().status = std::move(status);
  send(request.from.node, std::move(error));
}

void Home::begin_call(EnvelopePtr request) noexcept {
  const std::string& name = request->extra().to_name;
  const Method* method = node_.find_method(name);
  if (method == nullptr) {
    return refuse(*request, Status(Code::unimplemented, "node " + node_.name() + " does not offer " + name));
  }
  const Caller& caller = request->extra().caller;
  if (!method->admits(caller.role)) {
    return refuse(*request,
                  Status(Code::permission_denied, "the role '" + std::string(link::role_name(caller.role)) +
                                                      "' may not call " + name));
  }
  if (handled_.size() >= handled_calls_max) {
    return refuse(*request, Status(Code::resource_exhausted,
                                   "node " + node_.name() + " handles as many calls as it can: try again"));
  }
  if (node_.draining()) {
    return refuse(*request, Status(Code::unavailable, "node " + node_.name() + " is stopping"));
  }
  if (request->deadline <= shard_.clock().now()) {
    return refuse(*request, Status(Code::deadline_exceeded, name + " was asked for too late to start"));
  }
  Worker& worker = make_worker(method->name.c_str());
  start(worker, method->handle(Self(worker), method->service, method, std::move(request)));
}

void Home::send(NodeId to_node, EnvelopePtr envelope) {
  if (node_.observer() != nullptr) node_.show(*envelope, to_node);
  if (to_node == node_.id()) {
    unsigned to_shard = envelope->to.shard();
    if (!envelope->to) {
      if (envelope->kind == v1::CANCEL) return node_.deliver(std::move(envelope));
      if (envelope->kind == v1::REQUEST) envelope->extra().caller = Caller{node_.name(), node_.role()};
      to_shard = envelope->kind == v1::REQUEST ? node_.least_loaded() : shard_.index();
    }
    if (to_shard == shard_.index()) return receive(std::move(envelope));
    if (to_shard < node_.shards()) node_.home(to_shard).shard().post(envelope.release());
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

void Home::peer_lost(NodeId lost, const Status& reason) noexcept {
  for (auto& [key, worker] : handled_) {
    if (key.caller.node == lost) worker->stop.request();
  }
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    PendingCall* call = calls_[i].call;
    if (call == nullptr || call->callee != lost) continue;
    auto error = std::make_unique<SignalEnvelope>();
    error->kind = v1::ERROR;
    error->call = call->id;
    error->from.node = lost;
    error->extra().status = reason;
    answer(std::move(error));
  }
}

void Home::handling(Worker& worker, const Address& caller, std::uint64_t call) {
  handled_.insert_or_assign(CallKey{caller, call}, &worker);
  node_.calls_running.fetch_add(1, std::memory_order_relaxed);
}

void Home::handled(const Address& caller, std::uint64_t call) noexcept {
  handled_.erase(CallKey{caller, call});
  node_.calls_running.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace cobus
