// SPDX-License-Identifier: Apache-2.0
#include "node/job/jobs_service.hpp"

#include "node/job/record.hpp"
#include "node/runtime/completion.hpp"

namespace cobus::job {
namespace {

// Why a job of `method` cannot run now, or an empty text; INVALID_ARGUMENT when it never could.
Result<std::string> obstacle(const View& view, const std::string& method) {
  const std::string service = method.substr(0, method.find('/'));
  bool service_known = false;
  for (const v1::NodeRecord& record : view.nodes()) {
    for (const v1::ServiceRecord& offered : record.services()) {
      if (offered.name() != service) continue;
      if (offered.internal())
        return fail(Code::invalid_argument, method + " is part of cobus itself and cannot be a job");
      service_known = true;
      for (const v1::MethodRecord& candidate : offered.methods()) {
        if (candidate.name() != method) continue;
        if (!candidate.streaming() && !candidate.client_streaming()) return std::string();
        return fail(Code::invalid_argument,
                    method + " is a stream and cannot be a job; use: cobus call " + method);
      }
    }
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

Task<Result<v1::SubmitReply>> JobsService::Submit(Call /*call*/, v1::SubmitRequest request) {
  if (request.method().find('/') == std::string::npos) {
    co_return fail(Code::invalid_argument,
                   "method: '" + request.method() + "' is not of the form package.Service/Method");
  }
  if (request.timeout_us() > timeout_us_max) {
    co_return fail(Code::invalid_argument, "timeout_us: an attempt may take a year (" +
                                               std::to_string(timeout_us_max) +
                                               " us) at most; 0 sets no limit");
  }
  const Result<std::string> waits_for = obstacle(view_, request.method());
  if (!waits_for) co_return fail(waits_for.error());
  NewJob job;
  job.method = std::move(*request.mutable_method());
  job.payload = std::move(*request.mutable_payload());
  job.key = std::move(*request.mutable_key());
  job.attempts_max = request.attempts_max();
  job.timeout_us = request.timeout_us();
  for (const auto& [key, value] : request.labels()) job.labels.emplace(key, value);
  Completion<Submitted> done;
  ledger_.submit(std::move(job), done.callback());
  Result<Submitted> submitted = co_await done;
  if (!submitted) co_return fail(std::move(submitted).error());
  if (waits_for->empty()) {
    dispatcher_.wake();
  } else {
    ledger_.set_wait_reason({submitted->id}, *waits_for, [](const Result<void>&) {});
  }
  v1::SubmitReply reply;
  reply.set_id(std::move(submitted->id));
  reply.set_existed(submitted->existed);
  co_return reply;
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

Task<Result<v1::GetJobReply>> JobsService::Get(Call /*call*/, v1::GetJobRequest request) {
  Result<std::vector<v1::Job>> jobs = co_await fetch(request.id());
  if (!jobs) co_return fail(std::move(jobs).error());
  v1::GetJobReply reply;
  for (v1::Job& job : *jobs) *reply.add_jobs() = std::move(job);
  co_return reply;
}

Stream<v1::Job> JobsService::List(Call /*call*/, v1::ListJobsRequest request) {
  Completion<std::vector<v1::Job>> done;
  ledger_.list(std::move(request), done.callback());
  Result<std::vector<v1::Job>> jobs = co_await done;
  if (!jobs) co_yield fail(std::move(jobs).error());
  for (v1::Job& job : *jobs) {
    job.set_home(node_.name());
    co_yield std::move(job);
  }
}

}  // namespace cobus::job
