// SPDX-License-Identifier: Apache-2.0
//
// cobus.v1.Jobs: how clients submit jobs to this node's ledger and look at them.
#pragma once

#include <cobus/v1/job.cobus.h>

#include <memory>

#include "node/cluster/view.hpp"
#include "node/job/dispatcher.hpp"
#include "node/job/followers.hpp"
#include "node/job/ledger.hpp"

namespace cobus::job {

class JobsService final : public v1::JobsService {
 public:
  // All must outlive it.
  JobsService(Node& node, View& view, Ledger& ledger, Dispatcher& dispatcher);
  ~JobsService() override;

  Task<Result<v1::SubmitReply>> Submit(Call call, v1::SubmitRequest request) override;
  Stream<v1::JobEvent> Follow(Call call, v1::FollowRequest request) override;
  Task<Result<v1::GetJobReply>> Get(Call call, v1::GetJobRequest request) override;
  Stream<v1::Job> List(Call call, v1::ListJobsRequest request) override;

 private:
  // Of a job that is in the ledger; `waits_for`: what it cannot run for yet.
  void begin(const Submitted& job, const std::string& waits_for);
  Task<Result<std::vector<v1::Job>>> fetch(std::string prefix);
  Task<Result<std::vector<v1::Job>>> fetch_by_key(std::string key);

  Node& node_;
  View& view_;
  Ledger& ledger_;
  Dispatcher& dispatcher_;
  Followers followers_;
};

}  // namespace cobus::job
