// SPDX-License-Identifier: Apache-2.0
#include "node/job/jobs_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "node/job/record.hpp"
#include "node/link/keys.hpp"
#include "node/runtime/completion.hpp"

namespace cobus::job {
namespace {

// INVALID_ARGUMENT for what a job cannot hold.
Status check(const v1::SubmitRequest& request) {
  const std::string& method = request.method();
  if (method.size() > method_bytes_max) {
    return {Code::invalid_argument,
            fmt::format("method: {} bytes are too many for package.Service/Method: {} at most", method.size(),
                        method_bytes_max)};
  }
  if (method.find('/') == std::string::npos) {
    return {Code::invalid_argument, "method: '" + method + "' is not of the form package.Service/Method"};
  }
  if (request.timeout_us() > timeout_us_max) {
    return {Code::invalid_argument, fmt::format("timeout_us: an attempt may take a year ({} us) at most; 0 "
                                                "sets no limit",
                                                timeout_us_max)};
  }
  v1::SubmitRequest written;
  *written.mutable_labels() = request.labels();
  written.set_key(request.key());
  if (request.payload().size() > request_bytes_max) {
    return {Code::out_of_range,
            fmt::format(
                "the request has {} bytes, above the limit of {} for one that is written down: put what is "
                "large where the job can read it",
                request.payload().size(), request_bytes_max)};
  }
  if (const std::size_t bytes = written.ByteSizeLong(); bytes > key_and_labels_bytes_max) {
    return {Code::invalid_argument,
            fmt::format("key and labels: {} bytes, and a job holds {} of them: put more into the request",
                        bytes, key_and_labels_bytes_max)};
  }
  return {};
}

// Why a job of `method` from somebody with `role` cannot run now, or an empty text. INVALID_ARGUMENT,
// NOT_FOUND, PERMISSION_DENIED or FAILED_PRECONDITION when as things are it never could.
Result<std::string> obstacle(const View& view, const std::string& method, v1::Role role) {
  const std::string service = method.substr(0, method.find('/'));
  std::set<std::uint64_t> reached;
  for (const v1::NodeRecord& record : view.available()) reached.insert(record.node());
  std::string away;
  bool service_known = false;
  bool offered = false;
  bool admitted = false;
  for (const v1::NodeRecord& record : view.nodes()) {
    for (const v1::ServiceRecord& candidate : record.services()) {
      if (candidate.name() != service) continue;
      if (candidate.internal())
        return fail(Code::invalid_argument, method + " is part of cobus itself and cannot be a job");
      service_known = true;
      for (const v1::MethodRecord& at : candidate.methods()) {
        if (at.name() != method) continue;
        if (at.streaming() || at.client_streaming()) {
          return fail(Code::invalid_argument,
                      method + " is a stream and cannot be a job; use: cobus call " + method);
        }
        offered = true;
        if (!admits(at.roles(), role)) continue;
        admitted = true;
        if (!admits(at.roles(), v1::NODE)) continue;
        if (reached.contains(record.node())) return std::string();
        away += (away.empty() ? "" : ", ") + record.name();
      }
    }
  }
  if (!away.empty())
    return fmt::format("no node that offers {} can be reached now: {} is away or stops", method, away);
  if (admitted) {
    return fail(Code::failed_precondition,
                method + " may not be called by nodes, and so not as a job; use: cobus call " + method);
  }
  if (offered) {
    return fail(Code::permission_denied,
                "the role '" + std::string(link::role_name(role)) + "' may not call " + method);
  }
  if (service_known) return fail(Code::not_found, "no method " + method + "; see: cobus describe " + service);
  return "no node offers " + service;
}

}  // namespace

JobsService::JobsService(Node& node, View& view, Ledger& ledger, Dispatcher& dispatcher)
    : node_(node), view_(view), ledger_(ledger), dispatcher_(dispatcher), followers_(node) {
  ledger_.on_change([this](const v1::Job& job) { followers_.publish(job); });
}

JobsService::~JobsService() { ledger_.on_change({}); }

Task<Result<v1::SubmitReply>> JobsService::Submit(Call call, v1::SubmitRequest request) {
  if (Status refused = check(request); !refused.ok()) co_return fail(std::move(refused));
  const v1::Role role = call.caller().role;
  const Result<std::string> waits_for = obstacle(view_, request.method(), role);
  if (!waits_for) co_return fail(waits_for.error());
  NewJob job;
  job.method = std::move(*request.mutable_method());
  job.payload = std::move(*request.mutable_payload());
  job.key = std::move(*request.mutable_key());
  if (!job.key.empty()) job.canonical = canonical_payload(job.method, job.payload);
  job.attempts_max = request.attempts_max();
  job.timeout_us = request.timeout_us();
  job.role = role;
  for (const auto& [key, value] : request.labels()) job.labels.emplace(key, value);
  // A job that is kept runs, also when whoever submitted it did not wait to hear so.
  Completion<Submitted> done([this, why = *waits_for](const Result<Submitted>& kept) {
    if (kept) begin(*kept, why);
  });
  ledger_.submit(std::move(job), done.callback());
  Result<Submitted> submitted = co_await done;
  if (!submitted) co_return fail(std::move(submitted).error());
  begin(*submitted, *waits_for);
  v1::SubmitReply reply;
  reply.set_id(std::move(submitted->id));
  reply.set_existed(submitted->existed);
  co_return reply;
}

void JobsService::begin(const Submitted& job, const std::string& waits_for) {
  if (waits_for.empty()) {
    dispatcher_.wake();
  } else {
    ledger_.set_wait_reason({job.id}, waits_for, [](const Result<void>&) {});
  }
}

Task<Result<std::vector<v1::Job>>> JobsService::fetch(std::string prefix) {
  Completion<std::vector<v1::Job>> done;
  ledger_.get(std::move(prefix), done.callback());
  Result<std::vector<v1::Job>> jobs = co_await done;
  if (jobs) {
    for (v1::Job& job : *jobs) job.set_home(node_.name());
  }
  co_return jobs;
}

Stream<v1::JobEvent> JobsService::Follow(Call /*call*/, v1::FollowRequest request) {
  Result<std::vector<v1::Job>> found = co_await fetch(request.id());
  if (!found) co_yield fail(std::move(found).error());
  if (found->empty()) co_yield fail(Code::not_found, "node " + node_.name() + " has no job " + request.id());
  if (found->size() > 1)
    co_yield fail(Code::invalid_argument, request.id() + " is the start of several jobs' ids");
  // Followed first and looked at again, so that no change falls in between.
  Followers::Follower follower(followers_, found->front().id());
  found = co_await fetch(found->front().id());
  if (!found) co_yield fail(std::move(found).error());
  std::optional<v1::Job> job = std::move(found->front());
  while (job) {
    const bool last = is_final(job->state());
    v1::JobEvent event;
    *event.mutable_job() = std::move(*job);
    event.mutable_job()->set_home(node_.name());
    co_yield event;
    if (last) co_return;
    job = co_await follower.next();
  }
}

Task<Result<std::vector<v1::Job>>> JobsService::fetch_by_key(std::string key) {
  Completion<std::vector<v1::Job>> done;
  ledger_.get_by_key(std::move(key), done.callback());
  Result<std::vector<v1::Job>> jobs = co_await done;
  co_return jobs;
}

Task<Result<v1::GetJobReply>> JobsService::Get(Call /*call*/, v1::GetJobRequest request) {
  Result<std::vector<v1::Job>> jobs =
      request.key().empty() ? co_await fetch(request.id()) : co_await fetch_by_key(request.key());
  if (!jobs) co_return fail(std::move(jobs).error());
  v1::GetJobReply reply;
  for (v1::Job& job : *jobs) *reply.add_jobs() = std::move(job);
  co_return reply;
}

Stream<v1::Job> JobsService::List(Call /*call*/, v1::ListJobsRequest request) {
  std::uint32_t left = request.limit() == 0 ? list_limit_default : std::min(request.limit(), list_limit_max);
  std::int64_t from = 0;
  do {
    request.set_limit(left);
    Completion<JobPage> done;
    ledger_.list(request, from, done.callback());
    Result<JobPage> page = co_await done;
    if (!page) co_yield fail(std::move(page).error());
    for (v1::Job& job : page->jobs) {
      job.set_home(node_.name());
      co_yield std::move(job);
      --left;
    }
    from = page->next;
  } while (left > 0 && from != 0);
}

}  // namespace cobus::job
