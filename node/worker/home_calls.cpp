// SPDX-License-Identifier: Apache-2.0
//
// The calls of a shard: those its workers wait for, by number, and those they handle, by caller and number.
#include <algorithm>
#include <exception>

#include "node/worker/dead_letter.hpp"
#include "node/worker/exit_reason.hpp"
#include "node/worker/home.hpp"
#include "node/worker/node.hpp"
#include "node/worker/service.hpp"

namespace cobus {
namespace {

// Calls that one shard handles at once, of all callers and of one node; above it is a flood.
constexpr std::size_t handled_calls_max = 100'000;
constexpr std::uint32_t handled_calls_of_peer_max = 25'000;

// What the caller of a worker hears that ended before it answered. `CANCELLED` would look like its own doing.
Status ended_unanswered(const Status& reason) {
  Status status(exit_reason::abnormal(reason) ? reason.code() : Code::unavailable,
                "the worker ended before it answered (" + std::string(exit_reason::name(reason)) + ")" +
                    (reason.message().empty() ? "" : ": " + reason.message()));
  status.with("cause", "down");
  return status;
}

Status unstarted(Code code, std::string message) {
  Status refusal(code, std::move(message));
  refusal.with("started", "no");
  return refusal;
}

}  // namespace

void Home::answer(EnvelopePtr envelope) noexcept {
  const std::uint32_t index = static_cast<std::uint32_t>(envelope->call) & 0xffffff;
  PendingCall* call = index < calls_.size() ? calls_[index].call : nullptr;
  // Only who was asked may answer; what fails on the way there is answered in its name.
  if (call == nullptr || call->id != envelope->call || call->callee != envelope->from.node) {
    return node_.dead_letter(DeadLetter::late, *envelope);
  }
  if (envelope->kind == v1::REPLY || envelope->kind == v1::END || envelope->kind == v1::ERROR)
    remove_call(*call);
  call->answered(std::move(envelope));
}

// Items that a caller streams: here to their handler, or what the handler says of them to the caller.
void Home::receive_upstream(EnvelopePtr envelope) noexcept {
  if (envelope->kind == v1::CREDIT || envelope->kind == v1::CANCEL) return answer(std::move(envelope));
  Worker* const worker = find(envelope->to);
  if (worker == nullptr) return node_.dead_letter(DeadLetter::late, *envelope);
  if (worker->handled == nullptr) return node_.dead_letter(DeadLetter::not_allowed, *envelope);
  worker->handled->streamed(std::move(envelope));
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
  if (!request.from) return node_.dead_letter(DeadLetter::refused, request);
  auto error = std::make_unique<SignalEnvelope>();
  error->kind = v1::ERROR;
  error->flags = request.flags & v1::HIDDEN;
  error->from.node = in_name_of == NodeId::none ? node_.id() : in_name_of;
  error->to = request.from.worker;
  error->call = request.call;
  error->extra().status = std::move(status);
  send(request.from.node, std::move(error));
}

// Its caller gave up: what waits in the mailbox is not even begun. What was taken is answered too late.
void Home::forget_request(const Envelope& cancel) noexcept {
  Worker* const worker = find(cancel.to);
  if (worker == nullptr) return;
  static_cast<void>(worker->mailbox.take_first([&cancel](const Envelope& at) {
    return at.kind == v1::REQUEST && at.call == cancel.call && at.from == cancel.from;
  }));
  if (worker->senders_wait) let_senders_in(*worker);
}

void Home::answer_from(const Worker& worker, NodeId caller, EnvelopePtr answer) {
  answer->from = Address{node_.id(), worker.id};
  send(caller, std::move(answer));
}

void Home::refuse_expired(const Envelope& request) noexcept {
  refuse(request, Status(Code::deadline_exceeded, "the worker came to the request too late to begin"));
}

void Home::unanswered(Worker& worker, EnvelopePtr request) noexcept {
  if (ending_ == &worker) return refuse(*request, ended_unanswered(*ending_reason_));
  if (std::uncaught_exceptions() > 0) {
    worker.bonded().abandoned.push_back(std::move(request));
    worker.owes_answers = true;
    return;
  }
  refuse(*request, worker.stop.requested()
                       ? ended_unanswered(exit_reason::shutdown())
                       : Status(Code::internal, "the worker took the request and gave no answer"));
}

void Home::answer_abandoned(Worker& worker, const Status* reason) noexcept {
  for (const EnvelopePtr& request : std::exchange(worker.bonds->abandoned, {})) {
    refuse(*request, reason != nullptr ? ended_unanswered(*reason)
                                       : Status(Code::internal, "the worker gave up the request: it threw"));
  }
  worker.owes_answers = false;
}

void Home::begin_call(EnvelopePtr request) noexcept {
  const std::string& name = request->extra().to_name;
  const Method* method = node_.find_method(name);
  if (method == nullptr) {
    return refuse(*request,
                  unstarted(Code::unimplemented, "node " + node_.name() + " does not offer " + name));
  }
  if (method->client_streaming != ((request->flags & v1::UPSTREAM) != 0)) {
    return refuse(*request,
                  Status(Code::invalid_argument,
                         name + (method->client_streaming ? " takes a stream of requests, but got one"
                                                          : " takes one request, not a stream")));
  }
  // It would wait for ever.
  if ((method->streaming || method->client_streaming) && !request->from)
    return node_.dead_letter(DeadLetter::not_allowed, *request);
  const Caller& caller = request->extra().caller;
  if (!method->admits(caller.role)) {
    const Status why(Code::permission_denied,
                     "the role '" + std::string(link::role_name(caller.role)) + "' may not call " + name);
    node_.denied(request->from.node, why);
    return refuse(*request, why);
  }
  if (handled_.size() >= handled_calls_max) {
    return refuse(*request,
                  unstarted(Code::resource_exhausted,
                            "node " + node_.name() + " handles as many calls as it can: try again"));
  }
  // Nobody waits for it, yet it counts, and ends with its peer, like any other.
  if (!request->from) request->call = ++nameless_calls_;
  const CallKey key{request->from, request->call};
  if (handled_.contains(key)) {
    return refuse(*request, Status(Code::already_exists, "the caller has a call of that number already"));
  }
  if (const auto peer = handled_of_.find(key.caller.node);
      peer != handled_of_.end() && peer->second >= handled_calls_of_peer_max) {
    return refuse(*request, unstarted(Code::resource_exhausted,
                                      "the caller's node has " + std::to_string(handled_calls_of_peer_max) +
                                          " calls running here: try again"));
  }
  // What runs here still may ask its own node for what it needs to end well.
  if (node_.draining() && key.caller.node != node_.id()) {
    return refuse(*request, unstarted(Code::unavailable, "node " + node_.name() + " is stopping"));
  }
  if (request->deadline <= shard_.clock().now()) {
    return refuse(*request, Status(Code::deadline_exceeded, name + " was asked for too late to start"));
  }
  Worker& worker = make_worker(method->name.c_str());
  // Before it runs for the first time: a CANCEL may be next.
  handled_.emplace(key, &worker);
  ++handled_of_[key.caller.node];
  worker.handles_call = true;
  node_.calls_running.fetch_add(1, std::memory_order_relaxed);
  start(worker, method->handle(Self(worker, Self::newborn), method->service, method, std::move(request)));
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
  room_lost(lost, reason);
  bonds_lost(lost, reason);
}

void Home::handled(Worker& worker, const Address& caller, std::uint64_t call) noexcept {
  if (!worker.handles_call) return;
  worker.handles_call = false;
  handled_.erase(CallKey{caller, call});
  const auto peer = handled_of_.find(caller.node);
  if (--peer->second == 0) handled_of_.erase(peer);
  node_.calls_running.fetch_sub(1, std::memory_order_relaxed);
}

// Of a handler that is ended before it ran: nobody else knows which call it was for.
void Home::forget_unstarted_call(Worker& worker) noexcept {
  const auto found = std::find_if(handled_.begin(), handled_.end(),
                                  [&worker](const auto& entry) { return entry.second == &worker; });
  const CallKey key = found->first;
  SignalEnvelope request;
  request.from = key.caller;
  request.call = key.call;
  refuse(request, node_.draining() ? unstarted(Code::unavailable, "node " + node_.name() + " stops")
                                   : unstarted(Code::cancelled, "the handler was ended before it began"));
  handled(worker, key.caller, key.call);
}

}  // namespace cobus
