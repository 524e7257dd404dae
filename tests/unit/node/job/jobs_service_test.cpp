// SPDX-License-Identifier: Apache-2.0
#include "node/job/jobs_service.hpp"

#include "tests/support/instant_ledger.hpp"
#include "tests/support/test_node.hpp"
#include "tests/unit/node/job/ledger_fixture.hpp"

namespace cobus::job {
namespace {

Task<> submit_one(Self self, v1::SubmitRequest request, Result<v1::SubmitReply>* into) {
  *into = co_await v1::JobsStub(self).Submit(std::move(request));
}

Task<> list_all(Self self, v1::ListJobsRequest request, std::vector<v1::Job>* into) {
  auto jobs = v1::JobsStub(self).List(std::move(request));
  while (auto job = co_await jobs.next()) into->push_back(std::move(*job));
}

// What a client asks of a home; the calls come from the home's own node, which here has the role SUBMIT.
class JobsServiceTest : public TestNode {
 protected:
  JobsServiceTest()
      : TestNode(1, v1::SUBMIT), ledger_(folder_.path(), "home", network_.clock(), network_.random()) {
    node_->add_service(std::make_unique<JobsService>(*node_, view_, ledger_, dispatcher_));
  }
  void offer(const std::string& method, const std::vector<v1::Role>& roles, std::uint64_t node = 9) {
    v1::DirectoryEvent event;
    v1::NodeRecord& record = *event.add_changed();
    record.set_node(node);
    record.set_incarnation(1);
    record.set_name("n" + std::to_string(node));
    record.set_state(v1::UP);
    v1::ServiceRecord& service = *record.add_services();
    service.set_name(method.substr(0, method.find('/')));
    v1::MethodRecord& offered = *service.add_methods();
    offered.set_name(method);
    for (const v1::Role role : roles) offered.add_roles(role);
    view_.apply(NodeId{1}, event);
  }
  static v1::SubmitRequest request(const std::string& method) {
    v1::SubmitRequest made;
    made.set_method(method);
    return made;
  }
  Result<v1::SubmitReply> submit(v1::SubmitRequest request) {
    Result<v1::SubmitReply> reply = fail(Code::unknown, "no answer");
    spawn(&submit_one, std::move(request), &reply);
    return reply;
  }
  std::vector<v1::Job> list(std::uint32_t limit) {
    v1::ListJobsRequest request;
    request.set_limit(limit);
    std::vector<v1::Job> jobs;
    spawn(&list_all, std::move(request), &jobs);
    return jobs;
  }

  PrivateFolder folder_;
  View view_{network_.clock()};
  InstantLedger ledger_;
  Dispatcher dispatcher_{*node_, view_, ledger_};
};

TEST_F(JobsServiceTest, AMethodThatRefusesTheRoleOfTheCallerIsRefusedAsAJobToo) {
  offer("ops.Ops/Wipe", {v1::NODE, v1::ADMIN});
  const auto refused = submit(request("ops.Ops/Wipe"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::permission_denied) << refused.error().to_string();
  EXPECT_EQ(ledger_.count(v1::READY), 0U);
  offer("ops.Ops/Look", {v1::NODE, v1::SUBMIT});
  EXPECT_TRUE(submit(request("ops.Ops/Look")));
  offer("ops.Ops/Plain", {});
  EXPECT_TRUE(submit(request("ops.Ops/Plain")));
}

TEST_F(JobsServiceTest, AMethodThatNodesMayNotCallCannotBeAJobAndSaysHowElse) {
  offer("ops.Ops/Hand", {v1::SUBMIT, v1::ADMIN});
  const auto refused = submit(request("ops.Ops/Hand"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::failed_precondition);
  EXPECT_NE(refused.error().message().find("cobus call ops.Ops/Hand"), std::string::npos);
}

TEST_F(JobsServiceTest, AMethodThatNobodyOffersYetIsTakenInTheNameOfTheCaller) {
  const auto submitted = submit(request("ops.Ops/Wipe"));
  ASSERT_TRUE(submitted) << submitted.error().to_string();
  const Result<std::vector<ClaimedJob>> claimed = claim(ledger_, 1);
  EXPECT_EQ(claimed->at(0).role, v1::SUBMIT);
}

TEST_F(JobsServiceTest, AJobWhoseNodesAreAwayWaitsWithAReason) {
  offer("ops.Ops/Look", {});
  view_.lost(NodeId{9});
  ASSERT_TRUE(submit(request("ops.Ops/Look")));
  const std::string reason = list(1).at(0).wait_reason();
  EXPECT_NE(reason.find("no node that offers ops.Ops/Look can be reached now: n9"), std::string::npos)
      << reason;
}

TEST_F(JobsServiceTest, WhatAJobCannotHoldIsRefusedByName) {
  v1::SubmitRequest long_method = request("nobody.S/" + std::string(method_bytes_max, 'm'));
  EXPECT_EQ(submit(long_method).error().code(), Code::invalid_argument);
  EXPECT_TRUE(submit(long_method).error().message().starts_with("method:"));
  v1::SubmitRequest long_label = request("nobody.S/M");
  (*long_label.mutable_labels())["a"] = std::string(key_and_labels_bytes_max, 'l');
  EXPECT_EQ(submit(long_label).error().code(), Code::invalid_argument);
  EXPECT_TRUE(submit(long_label).error().message().starts_with("key and labels:"));
  v1::SubmitRequest many_labels = request("nobody.S/M");
  for (int i = 0; i < 3000; ++i) (*many_labels.mutable_labels())[std::to_string(i)] = "";
  EXPECT_FALSE(submit(many_labels)) << "as they are written down, not only their letters";
  v1::SubmitRequest long_key = request("nobody.S/M");
  long_key.set_key(std::string(key_and_labels_bytes_max, 'k'));
  EXPECT_FALSE(submit(long_key));
  v1::SubmitRequest fits = request("nobody.S/M");
  fits.set_key("k");
  (*fits.mutable_labels())["a"] = std::string(key_and_labels_bytes_max - 100, 'l');
  EXPECT_TRUE(submit(fits));
  EXPECT_EQ(ledger_.count(v1::READY), 1U);
}

TEST_F(JobsServiceTest, ALongListComesWholeAndInOrderPageByPage) {
  std::vector<std::string> ids;
  for (int i = 0; i < 60; ++i) {
    NewJob job = echo(std::to_string(i));
    job.labels["large"] = std::string(15'000, 'x');
    ids.insert(ids.begin(), ledger_.submitted(std::move(job)));
  }
  const std::vector<v1::Job> all = list(1000);
  ASSERT_EQ(all.size(), ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(all[i].id(), ids[i]);
  EXPECT_EQ(list(31).size(), 31U);
  EXPECT_EQ(list(0).size(), ids.size());
}

TEST_F(JobsServiceTest, W7_AJobWhoseSubmitterDidNotWaitForTheLedgerIsKeptAllTheSame) {
  ledger_.slow = true;
  const auto submitted = submit(request("ops.Ops/Later"));
  ASSERT_EQ(workers(), 2U) << "who submits, and the handler";
  node_->home(0).stop_all();
  step();
  EXPECT_EQ(workers(), 0U);
  ledger_.let_go();
  step();
  const std::vector<v1::Job> jobs = list(10);
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_NE(jobs[0].wait_reason(), "") << "what it waits for is told";
}

}  // namespace
}  // namespace cobus::job
