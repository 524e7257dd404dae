// SPDX-License-Identifier: Apache-2.0
#include "node/job/dispatcher.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "node/runtime/completion.hpp"

namespace cobus::job {
namespace {

// Calls to one node at once. For the pool: one more than its threads, so that none waits for the next job.
constexpr std::uint32_t shard_calls_max = 128;
constexpr std::uint32_t pool_calls_extra = 1;
// How often to look without being woken: nodes come and go.
constexpr Duration look_again = std::chrono::milliseconds(500);
constexpr std::uint32_t claim_max = 256;
constexpr Duration ledger_retry = std::chrono::seconds(1);

std::uint32_t capacity(const v1::NodeRecord& record, v1::Where where) {
  return where == v1::POOL ? record.load().pool_threads() + pool_calls_extra : shard_calls_max;
}

TypeId input_type(const v1::NodeRecord& record, const std::string& name) {
  for (const v1::ServiceRecord& service : record.services()) {
    for (const v1::MethodRecord& method : service.methods()) {
      if (method.name() == name) return type_id(method.input());
    }
  }
  return TypeId::none;
}

void log_failures(Scope& runs) {
  for (const Scope::Failure& failure : runs.take_failures())
    spdlog::error("the run of a job ended by an exception: {}", failure.status.message());
}

}  // namespace

void Dispatcher::wake() {
  if (!started_.load(std::memory_order_acquire) || woken_.exchange(true, std::memory_order_acq_rel)) return;
  node_.run_on(shard_.load(std::memory_order_relaxed), [this](Home&) {
    woken_.store(false, std::memory_order_release);
    changed_.notify();
  });
}

std::map<v1::Where, Dispatcher::Room> Dispatcher::room() const {
  std::map<v1::Where, std::set<std::string>> methods;
  std::map<v1::Where, Room> rooms;
  for (const v1::NodeRecord& record : view_.available()) {
    std::set<v1::Where> kinds;
    for (const v1::ServiceRecord& service : record.services()) {
      if (service.internal()) continue;
      for (const v1::MethodRecord& method : service.methods()) {
        methods[method.where()].insert(method.name());
        kinds.insert(method.where());
      }
    }
    const auto busy = busy_.find(NodeId{record.node()});
    for (const v1::Where where : kinds) {
      const std::uint32_t used = busy == busy_.end() ? 0
                                 : where == v1::POOL ? busy->second.pool
                                                     : busy->second.shard;
      rooms[where].free += capacity(record, where) - std::min(used, capacity(record, where));
    }
  }
  for (auto& [where, names] : methods) rooms[where].methods.assign(names.begin(), names.end());
  return rooms;
}

Result<v1::NodeRecord> Dispatcher::choose(const std::string& method, v1::Where where) const {
  const std::string service = method.substr(0, method.find('/'));
  std::vector<v1::NodeRecord> able = view_.providers(service);
  if (able.empty()) return fail(Code::unavailable, "no node that is up offers " + service);
  const auto load = [&](const v1::NodeRecord& record) {
    const auto busy = busy_.find(NodeId{record.node()});
    const std::uint32_t used = busy == busy_.end() ? 0
                               : where == v1::POOL ? busy->second.pool
                                                   : busy->second.shard;
    return static_cast<double>(used) / capacity(record, where);
  };
  // Equals take turns: the first of a rotated list wins.
  std::rotate(able.begin(), able.begin() + static_cast<std::ptrdiff_t>(node_.random().below(able.size())),
              able.end());
  return *std::min_element(able.begin(), able.end(),
                           [&](const auto& a, const auto& b) { return load(a) < load(b); });
}

Task<> Dispatcher::run(Self self, Dispatcher* dispatcher) {
  dispatcher->shard_.store(self.worker().shard->index());
  dispatcher->started_.store(true, std::memory_order_release);
  for (;;) {
    Completion<Recovered> done;
    dispatcher->ledger_.recover(done.callback());
    const Result<Recovered> recovered = co_await done;
    if (recovered) {
      if (recovered->ready + recovered->failed > 0) {
        spdlog::info("recovered {} unfinished jobs; {} had no attempts left", recovered->ready,
                     recovered->failed);
      }
      break;
    }
    spdlog::error("cannot recover unfinished jobs yet: {}", recovered.error().to_string());
    if (!(co_await sleep(ledger_retry)).ok()) co_return;
  }
  Scope runs(Scope::OnFailure::supervise);  // one that goes wrong is no reason to cancel the others
  while (!self.stop_requested()) {
    log_failures(runs);
    bool claimed = false;
    for (auto& [where, room] : dispatcher->room()) {
      if (room.free == 0) continue;
      std::vector<ClaimedJob> jobs = co_await dispatcher->claim(room);
      claimed = claimed || !jobs.empty();
      for (ClaimedJob& job : jobs) runs.spawn(dispatcher->run_job(self, std::move(job), where));
    }
    if (claimed) continue;
    if ((co_await dispatcher->changed_.wait(look_again)).code() == Code::cancelled) break;
  }
  static_cast<void>(co_await runs.join());
  log_failures(runs);
}

Task<std::vector<ClaimedJob>> Dispatcher::claim(Room room) {
  ClaimRequest request;
  request.limit = std::min<std::uint32_t>(room.free, claim_max);
  request.owner = node_.incarnation();
  request.methods = std::move(room.methods);
  Completion<std::vector<ClaimedJob>> done;
  ledger_.claim(std::move(request), done.callback());
  Result<std::vector<ClaimedJob>> jobs = co_await done;
  if (jobs) co_return std::move(*jobs);
  spdlog::warn("cannot claim jobs: {}", jobs.error().to_string());
  static_cast<void>(co_await sleep(ledger_retry));
  co_return std::vector<ClaimedJob>();
}

Task<> Dispatcher::run_job(Self self, ClaimedJob job, v1::Where where) {
  Result<v1::NodeRecord> to = choose(job.method, where);
  if (!to) {
    co_await record(job.id, job.attempt, HandedBack{to.error().message(), false, false});
    co_return;
  }
  const NodeId node{to->node()};
  std::uint32_t Busy::* const count = where == v1::POOL ? &Busy::pool : &Busy::shard;
  ++(busy_[node].*count);
  ledger_.assign(job.id, job.attempt, to->name());
  auto request = std::make_unique<EncodedEnvelope>(input_type(*to, job.method), std::move(job.payload));
  Result<EnvelopePtr> reply =
      co_await call_envelope(self, node, job.method, std::move(request), call_options(job));
  Outcome outcome = outcome_of(std::move(reply), node);
  if (--(busy_[node].*count) == 0 && busy_[node].shard + busy_[node].pool == 0) busy_.erase(node);
  changed_.notify();
  co_await record(job.id, job.attempt, std::move(outcome));
  changed_.notify();
}

CallOptions Dispatcher::call_options(const ClaimedJob& job) const {
  CallOptions options;
  options.timeout = job.timeout_us == 0 ? Duration(-1) : std::chrono::microseconds(job.timeout_us);
  options.on_progress = [this, id = job.id, attempt = job.attempt](const v1::Progress& progress) {
    ledger_.progress(id, attempt, progress);
  };
  return options;
}

Outcome Dispatcher::outcome_of(Result<EnvelopePtr> reply, NodeId node) const {
  if (reply) {
    std::string bytes((*reply)->payload_size(), '\0');
    (*reply)->write_payload(reinterpret_cast<std::uint8_t*>(bytes.data()));
    return Succeeded{std::move(bytes)};
  }
  const Status& why = reply.error();
  switch (why.code()) {
    case Code::unavailable: {
      // The node was lost or could not be reached, or else it or the handler says: try again.
      const bool lost = why.detail("cause") == "connection";
      if (lost && node != node_.id()) view_.lost(node);
      return HandedBack{why.message(), lost, true};
    }
    case Code::cancelled:  // that node stops, or this one does
      return HandedBack{why.message(), false, true};
    case Code::deadline_exceeded:   // of this attempt
    case Code::resource_exhausted:  // it has no room now
      return HandedBack{why.message(), false, true, why.code()};
    default:
      return Failed{why};
  }
}

Task<> Dispatcher::record(std::string id, std::uint32_t attempt, Outcome outcome) {
  for (;;) {
    Completion<v1::JobState> done;
    ledger_.finish(id, attempt, outcome, done.callback());
    const Result<v1::JobState> state = co_await done;
    if (state) co_return;
    if (state.error().code() != Code::resource_exhausted && state.error().code() != Code::unavailable) {
      spdlog::warn("the outcome of job {} attempt {} was refused: {}", id, attempt,
                   state.error().to_string());
      co_return;
    }
    // The disk is full or broken: what the worker found out is kept here until it can be written.
    if (!(co_await sleep(ledger_retry)).ok()) co_return;
  }
}

}  // namespace cobus::job
