// SPDX-License-Identifier: Apache-2.0
#include "client/cli/job_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "client/cli/job_json.hpp"
#include "client/cli/known_homes.hpp"
#include "node/runtime/scope.hpp"
#include "proto/type_id.hpp"

namespace cobus::client {
namespace {

constexpr Duration submit_timeout = std::chrono::seconds(10);
constexpr Duration ask_timeout = std::chrono::seconds(5);
constexpr Duration look_again = std::chrono::milliseconds(200);
constexpr std::string_view jobs_service = "cobus.v1.Jobs";
constexpr std::size_t named_at_most = 5;
constexpr std::size_t id_length = 26;  // of a whole one

// Whether another node may take what this one did not.
bool another_may(Code code) {
  return code == Code::unavailable || code == Code::deadline_exceeded || code == Code::resource_exhausted ||
         code == Code::data_loss || code == Code::unimplemented;
}

CallOptions timeout_of(Duration timeout) {
  CallOptions options;
  options.timeout = timeout;
  return options;
}

// FNV leaves names that differ in their last letter near each other; this spreads them (MurmurHash3's
// finalizer).
std::uint64_t mixed(std::uint64_t hash) {
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdULL;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return hash ^ (hash >> 33);
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out;
}

// All that could not be asked.
std::vector<std::string> missed(std::vector<std::string> not_asked, const std::vector<std::string>& away) {
  not_asked.insert(not_asked.end(), away.begin(), away.end());
  return not_asked;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

}  // namespace

JobClient::JobClient(View& view, Console& console)
    : view_(view), console_(console), homes_at_first_(homes_of_jobs(view)) {}

void JobClient::put_in_order(std::vector<v1::NodeRecord>& nodes, const std::string& key, Random& random) {
  // By name: a node that starts again keeps its ledger. Without a key the order is by chance.
  const std::string salt = key.empty() ? std::to_string(random.next()) : key;
  const auto weight = [&salt](const v1::NodeRecord& node) { return mixed(fnv1a(salt + '\n' + node.name())); };
  std::sort(nodes.begin(), nodes.end(), [&](const auto& a, const auto& b) { return weight(a) > weight(b); });
}

Task<Result<JobClient::Submitted>> JobClient::submit(Self self, v1::SubmitRequest request,
                                                     Elsewhere elsewhere) {
  Random& random = self.node().random();
  std::vector<v1::NodeRecord> nodes =
      elsewhere == Elsewhere::never ? homes_at_first_ : view_.providers(jobs_service);
  put_in_order(nodes, request.key(), random);
  if (request.key().empty())
    request.set_key(fmt::format("cobus-{:016x}{:016x}", random.next(), random.next()));
  co_return co_await submit_to(self, std::move(nodes), std::move(request), elsewhere);
}

Task<Result<JobClient::Submitted>> JobClient::submit_once(Self self, v1::SubmitRequest request,
                                                          std::vector<std::string> away) {
  v1::GetJobRequest by_key;
  by_key.set_key(request.key());
  Listing known = co_await ask_all(self, std::move(by_key));
  if (!known.jobs.empty()) {
    const auto first = std::min_element(
        known.jobs.begin(), known.jobs.end(),
        [](const v1::Job& a, const v1::Job& b) { return a.submitted_us() < b.submitted_us(); });
    const auto home = view_.find_name(first->home());
    if (!home) co_return fail(Code::unavailable, fmt::format("node {} left just now", first->home()));
    std::vector<v1::NodeRecord> its_home{*home};
    co_return co_await submit_to(self, std::move(its_home), std::move(request), Elsewhere::never);
  }
  const auto missing = missed(known.not_asked, away);
  if (missing.empty()) co_return co_await submit(self, std::move(request), Elsewhere::never);
  co_return fail(
      Code::resource_exhausted,
      fmt::format("whether the key '{}' was submitted before is not known while it cannot be asked "
                  "for at {}; start that node again and repeat this, or use another key if it "
                  "never comes back",
                  request.key(), joined(missing)));
}

Task<Result<JobClient::Submitted>> JobClient::submit_to(Self self, std::vector<v1::NodeRecord> nodes,
                                                        v1::SubmitRequest request, Elsewhere elsewhere) {
  Status failed(Code::unavailable, view_.available().empty()
                                       ? "no node is up; start one with: cobus-node"
                                       : "no node keeps jobs; start one with: cobus-node --ledger sqlite");
  for (const v1::NodeRecord& node : nodes) {
    v1::JobsStub jobs(self, NodeId{node.node()});
    auto reply = co_await jobs.Submit(request, timeout_of(submit_timeout));
    if (reply) co_return Submitted{reply->id(), node.name(), reply->existed()};
    const Code code = reply.error().code();
    failed = Status(code, fmt::format("node {}: {}", node.name(), reply.error().message()));
    if (elsewhere == Elsewhere::allowed || code == Code::unimplemented) {
      if (!another_may(code)) break;
      continue;
    }
    // It may have taken this one, or an earlier one of the same key.
    const bool unreached = never_started(reply.error());
    if (unreached || another_may(code)) {
      failed = Status(unreached ? Code::unavailable : code,
                      fmt::format("{}; jobs of this key are at that node: try again with the same key",
                                  failed.message()));
    }
    break;
  }
  co_return fail(std::move(failed));
}

Task<> JobClient::ask(Self self, NodeId node, std::string name, v1::GetJobRequest request, Listing* into) {
  v1::JobsStub jobs(self, node);
  auto reply = co_await jobs.Get(std::move(request), timeout_of(ask_timeout));
  if (!reply) {
    into->not_asked.push_back(name + ": " + reply.error().message());
    co_return;
  }
  for (v1::Job& job : *reply->mutable_jobs()) into->jobs.push_back(std::move(job));
}

Task<JobClient::Listing> JobClient::ask_all(Self self, v1::GetJobRequest request) const {
  Listing found;
  Scope scope;
  for (const v1::NodeRecord& node : homes_of_jobs(view_))
    scope.spawn(ask(self, NodeId{node.node()}, node.name(), request, &found));
  static_cast<void>(co_await scope.join());  // they say in `found` what went wrong
  co_return found;
}

Task<Result<v1::Job>> JobClient::find(Self self, std::string prefix, std::vector<std::string> away) {
  prefix = lower(std::move(prefix));
  if (prefix.empty()) co_return fail(Code::invalid_argument, "an empty text is no job's id; see: cobus jobs");
  if (homes_of_jobs(view_).empty())
    co_return fail(Code::unavailable, "no node that keeps jobs is up; start one with: cobus-node");
  v1::GetJobRequest request;
  request.set_id(prefix);
  Listing found = co_await ask_all(self, std::move(request));
  std::set<std::string> ids;
  for (const v1::Job& job : found.jobs) ids.insert(job.id());
  const std::vector<std::string>& missing = found.not_asked;
  if (ids.size() == 1 && (missing.empty() || prefix.size() == id_length)) {
    // A node that kept jobs last week and is gone is no reason to refuse what is clear among those here.
    if (!away.empty() && prefix.size() != id_length) {
      console_.note(
          fmt::format("job {} is the only one here that begins with '{}'; not asked: {}, which is away",
                      *ids.begin(), prefix, joined(away)));
    }
    co_return std::move(found.jobs.front());
  }
  if (ids.size() == 1) {
    co_return fail(
        Code::unavailable,
        fmt::format("job {} begins with '{}', and so may one at {}, which could not be asked; write "
                    "the whole id",
                    *ids.begin(), prefix, joined(missing)));
  }
  if (ids.size() > 1) {
    std::vector<std::string> some(ids.begin(), ids.end());
    if (some.size() > named_at_most) some.resize(named_at_most);
    co_return fail(Code::invalid_argument,
                   fmt::format("{} jobs have an id that begins with '{}': {}{}; write more of it", ids.size(),
                               prefix, joined(some), ids.size() > some.size() ? " ..." : ""));
  }
  if (!found.not_asked.empty()) {
    co_return fail(Code::unavailable, fmt::format("no job '{}' at the nodes that answer; could not ask {}",
                                                  prefix, joined(found.not_asked)));
  }
  if (!away.empty()) {
    co_return fail(Code::unavailable,
                   fmt::format("no node that is up has a job '{}'; it may be at {}, which kept jobs and is "
                               "away; see: cobus nodes",
                               prefix, joined(away)));
  }
  co_return fail(
      Code::not_found,
      fmt::format("no node that is up has a job '{}'; see: cobus jobs (the node that holds it may be down: "
                  "cobus nodes)",
                  prefix));
}

Task<Result<v1::Job>> JobClient::follow(Self self, std::string id, std::string home, bool patient,
                                        OnJob on_job) {
  bool said = false;
  for (;;) {
    Status lost(Code::unavailable, "node " + home + " is not there");
    if (const auto record = view_.find_name(home)) {
      v1::FollowRequest request;
      request.set_id(id);
      v1::JobsStub jobs(self, NodeId{record->node()});
      auto events = jobs.Follow(std::move(request), timeout_of(Duration(-1)));
      while (std::optional<v1::JobEvent> event = co_await events.next()) {
        if (std::exchange(said, false)) console_.note(fmt::format("node {} is back", home));
        if (is_final(event->job().state())) co_return std::move(*event->mutable_job());
        if (on_job) on_job(event->job());
      }
      lost = events.status();
      // A stream that ends early without an error: its node stops.
      if (lost.ok()) lost = Status(Code::unavailable, "node " + home + " stops");
    }
    if (self.stop_requested()) co_return fail(Code::cancelled, "stopped waiting");
    const bool away = lost.code() == Code::unavailable || lost.code() == Code::cancelled;
    if (!patient || !away) co_return fail(std::move(lost));
    if (!std::exchange(said, true)) {
      console_.note(fmt::format("node {}, which holds job {}, is away ({}); waiting for it to come back",
                                home, id, lost.message()));
    }
    if (!(co_await sleep(look_again)).ok()) co_return fail(Code::cancelled, "stopped waiting");
  }
}

Task<> JobClient::list_one(Self self, NodeId node, std::string name, v1::ListJobsRequest request,
                           Listing* into) {
  v1::JobsStub jobs(self, node);
  auto stream = jobs.List(std::move(request), timeout_of(ask_timeout));
  while (std::optional<v1::Job> job = co_await stream.next()) into->jobs.push_back(std::move(*job));
  if (!stream.status().ok()) into->not_asked.push_back(name + ": " + stream.status().message());
}

Task<JobClient::Listing> JobClient::list(Self self, v1::ListJobsRequest request) {
  Listing listing;
  const std::size_t limit = request.limit();
  if (limit > 0) request.set_limit(request.limit() + 1);  // one more shows whether there are more
  Scope scope;
  for (const v1::NodeRecord& node : homes_of_jobs(view_)) {
    scope.spawn(list_one(self, NodeId{node.node()}, node.name(), request, &listing));
  }
  static_cast<void>(co_await scope.join());  // they say in `listing` what went wrong
  std::sort(listing.jobs.begin(), listing.jobs.end(), [](const v1::Job& a, const v1::Job& b) {
    return std::pair(a.submitted_us(), a.id()) > std::pair(b.submitted_us(), b.id());
  });
  listing.cut = limit > 0 && listing.jobs.size() > limit;
  if (listing.cut) listing.jobs.resize(limit);
  co_return listing;
}

}  // namespace cobus::client
