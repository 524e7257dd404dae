// SPDX-License-Identifier: Apache-2.0
#include "node/job/dispatcher.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "node/job/record.hpp"
#include "node/runtime/completion.hpp"

namespace cobus::job {
namespace {

// How often to look without being woken: nodes come and go.
constexpr Duration look_again = std::chrono::milliseconds(500);
constexpr std::uint32_t claim_max = 256;
constexpr Duration ledger_retry = std::chrono::seconds(1);

void log_failures(Scope& runs) {
  for (const Scope::Failure& failure : runs.take_failures())
    spdlog::error("the run of a job ended by an exception: {}", failure.status.message());
}

}  // namespace

void Dispatcher::wake() {
  if (!started_.load(std::memory_order_acquire) || woken_.exchange(true, std::memory_order_acq_rel)) return;
  node_.run_on(shard_.load(std::memory_order_relaxed), [this](Home&) {
    woken_.store(false, std::memory_order_release);
    tell();
  });
}

void Dispatcher::tell() {
  told_ = true;
  changed_.notify();
}

void Dispatcher::drain() {
  draining_.store(true, std::memory_order_release);
  wake();
}

bool Dispatcher::ending(Self self) const {
  return draining_.load(std::memory_order_acquire) || node_.draining() || self.stop_requested();
}

Task<> Dispatcher::run(Self self, Dispatcher* dispatcher) {
  // Its node's drain is for what runs to end, so it goes on until then.
  self.worker().stops_last = true;
  dispatcher->shard_.store(self.worker().shard->index());
  dispatcher->started_.store(true, std::memory_order_release);
  co_await dispatcher->recover(self);
  Scope runs(Scope::OnFailure::supervise);  // one that goes wrong is no reason to cancel the others
  while (!dispatcher->ending(self)) {
    log_failures(runs);
    dispatcher->told_ = false;
    const bool given = co_await dispatcher->give_out(self, &runs);
    if (given || dispatcher->told_ || dispatcher->ending(self)) continue;
    if ((co_await dispatcher->changed_.wait(look_again)).code() == Code::cancelled) break;
  }
  static_cast<void>(co_await runs.join());
  log_failures(runs);
}

Task<> Dispatcher::recover(Self self) {
  while (!ending(self)) {
    Completion<Recovered> done;
    ledger_.recover(done.callback());
    const Result<Recovered> recovered = co_await done;
    if (recovered) {
      if (recovered->ready + recovered->failed > 0) {
        spdlog::info("recovered {} unfinished jobs; {} had no attempts left", recovered->ready,
                     recovered->failed);
      }
      co_return;
    }
    if (self.stop_requested()) co_return;
    spdlog::error("cannot recover unfinished jobs yet: {}", recovered.error().to_string());
    static_cast<void>(co_await changed_.wait(ledger_retry));
  }
}

Task<bool> Dispatcher::give_out(Self self, Scope* runs) {
  bool given = false;
  const std::vector<Placement::Room> rooms = placement_.rooms(view_.available(), node_.clock().now());
  // They take turns to be first, since a node can be in several.
  const std::size_t first = ++turn_;
  for (std::size_t i = 0; i < rooms.size() && !ending(self); ++i) {
    const Placement::Room& room = rooms[(first + i) % rooms.size()];
    const std::uint32_t free = placement_.free(room);
    if (free == 0) continue;
    std::vector<ClaimedJob> jobs = co_await claim(room.methods, free);
    if (jobs.empty()) continue;
    const std::vector<v1::NodeRecord> nodes = view_.available();
    placement_.prefer_others_to(view_.unsteady());
    for (ClaimedJob& job : jobs) {
      Result<Placement::Place> place = placement_.take(job, nodes, node_.clock().now(), node_.random());
      given = given || place;
      runs->spawn(run_job(self, std::move(job), std::move(place)));
    }
  }
  co_return given;
}

Task<std::vector<ClaimedJob>> Dispatcher::claim(std::vector<std::string> methods, std::uint32_t limit) {
  ClaimRequest request;
  request.limit = std::min<std::uint32_t>(limit, claim_max);
  request.owner = node_.incarnation();
  request.methods = std::move(methods);
  // What is claimed while this worker ends is nobody's: it goes back, and has used no attempt.
  Completion<std::vector<ClaimedJob>> done([this](const Result<std::vector<ClaimedJob>>& jobs) {
    if (!jobs) return;
    for (const ClaimedJob& job : *jobs)
      ledger_.finish(job.id, job.attempt, HandedBack{"the node that keeps the job stopped", false, false},
                     {});
  });
  ledger_.claim(std::move(request), done.callback());
  Result<std::vector<ClaimedJob>> jobs = co_await done;
  if (jobs) co_return std::move(*jobs);
  if (jobs.error().code() == Code::cancelled) co_return std::vector<ClaimedJob>();
  spdlog::warn("cannot claim jobs: {}", jobs.error().to_string());
  static_cast<void>(co_await sleep(ledger_retry));
  co_return std::vector<ClaimedJob>();
}

Task<> Dispatcher::run_job(Self self, ClaimedJob job, Result<Placement::Place> place) {
  if (!place) {
    const Status& why = place.error();
    Outcome outcome = HandedBack{why.message(), false, false};
    if (why.code() == Code::permission_denied) outcome = Failed{why};
    co_await record(job.id, job.attempt, std::move(outcome));
    co_return;
  }
  ledger_.assign(job.id, job.attempt, place->name);
  auto request = std::make_unique<EncodedEnvelope>(place->input, std::move(job.payload));
  Result<EnvelopePtr> reply = co_await call_envelope(self, place->node, job.method, std::move(request),
                                                     call_options(job, place->node));
  placement_.give_back(*place);
  // What this node's own stop cut short costs the job no attempt.
  const bool stopping = stop_requested() || (node_.draining() && place->node == node_.id());
  // (A handler that is stopped with its node answers UNAVAILABLE, a call that is given up here CANCELLED.)
  Outcome outcome =
      stopping && !reply &&
              (reply.error().code() == Code::cancelled || reply.error().code() == Code::unavailable)
          ? HandedBack{"the node that keeps the job was stopped while it ran", false, false}
          : outcome_of(std::move(reply), *place);
  tell();
  co_await record(job.id, job.attempt, std::move(outcome));
  tell();
}

CallOptions Dispatcher::call_options(const ClaimedJob& job, NodeId node) const {
  CallOptions options;
  options.timeout = std::chrono::microseconds(job.timeout_us);
  if (job.timeout_us == 0) {
    const MethodTerms terms = node_.terms(node, job.method);
    options.timeout = terms.timeout_ms != 0 ? std::chrono::milliseconds(terms.timeout_ms) : Duration(-1);
  }
  options.on_progress = [this, id = job.id, attempt = job.attempt](v1::Progress progress) {
    progress.set_note(shown(progress.note()));
    ledger_.progress(id, attempt, std::move(progress));
  };
  return options;
}

Outcome Dispatcher::outcome_of(Result<EnvelopePtr> reply, const Placement::Place& place) {
  if (reply) {
    const std::size_t size = (*reply)->payload_size();
    if (size > result_bytes_max) {
      return Failed{
          {Code::out_of_range,
           fmt::format("the result has {} bytes, and that of a job at most {}: let the method keep it "
                       "elsewhere and answer where",
                       size, result_bytes_max)}};
    }
    std::string bytes(size, '\0');
    (*reply)->write_payload(reinterpret_cast<std::uint8_t*>(bytes.data()));
    return Succeeded{std::move(bytes)};
  }
  const Status why = shown(reply.error());
  const bool lost = reply.error().detail("cause") == "connection";
  if (lost && place.node != node_.id()) view_.lost(place.node);
  if (never_started(reply.error()) && why.code() != Code::invalid_argument) {
    // It is stopping, has no room, is not there or is not what its record says: another may be.
    placement_.avoid(place.node, node_.clock().now());
    return HandedBack{why.message(), false, false};
  }
  switch (why.code()) {
    case Code::resource_exhausted:
      if (reply.error().detail("full") == "pool") {
        placement_.avoid(place, node_.clock().now());
        return HandedBack{why.message(), false, false};
      }
      [[fallthrough]];
    case Code::unavailable:        // the node was lost, or the handler says: try again
    case Code::deadline_exceeded:  // of this attempt
    case Code::cancelled:          // that node stops
      return HandedBack{why.message(), lost, true,
                        why.code() == Code::cancelled ? Code::unavailable : why.code()};
    default:
      return Failed{why};
  }
}

Task<> Dispatcher::record(std::string id, std::uint32_t attempt, Outcome outcome) {
  for (;;) {
    Completion<v1::JobState> done;
    ledger_.finish(id, attempt, outcome, done.callback());
    const Result<v1::JobState> state = co_await done;
    if (state || state.error().code() == Code::cancelled) co_return;  // stopped: it is on its way to the disk
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
