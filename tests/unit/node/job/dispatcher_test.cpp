// SPDX-License-Identifier: Apache-2.0
#include "node/job/dispatcher.hpp"

#include "echo.cobus.h"
#include "node/job/record.hpp"
#include "node/observe/services.hpp"
#include "tests/support/instant_ledger.hpp"
#include "tests/support/test_node.hpp"
#include "tests/unit/node/job/ledger_fixture.hpp"

namespace cobus::job {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Does what the text of the request says.
class Obedient final : public echo::EchoService {
 public:
  Task<Result<EchoReply>> Echo(Call call, EchoRequest request) override {
    ++begun;
    const std::string text = request.text();
    if (text == "wait") {
      while (!let_go && !call.stop_requested()) static_cast<void>(co_await sleep(milliseconds(10)));
      if (!let_go) co_return fail(Code::cancelled, "its node stops");
    }
    if (text == "again") co_return fail(Code::unavailable, "try again");
    if (text == "passed on") {
      Status other(Code::unavailable, "another node is stopping");
      co_return fail(other.with("started", "no").with("cause", "connection"));
    }
    if (text == "pool") {
      Status full(Code::resource_exhausted, "the pool is full");
      co_return fail(full.with("full", "pool"));
    }
    if (text == "note") call.progress(0.5, "caf\xe9");
    if (text == "note") co_return fail(Code::invalid_argument, "caf\xe9 " + std::string(100'000, 'x'));
    EchoReply reply;
    reply.set_text(text == "large" ? std::string(result_bytes_max, 'x') : text);
    co_return reply;
  }
  int begun = 0;
  bool let_go = false;
};

// A node that is home and runs the jobs, alone but for what `others` say.
class DispatcherTest : public TestNode {
 protected:
  DispatcherTest() : ledger_(folder_.path(), "home", network_.clock(), network_.random()) {
    auto service = std::make_unique<Obedient>();
    service_ = service.get();
    node_->add_service(std::move(service));
    own_.set_node(static_cast<std::uint64_t>(node_->id()));
    own_.set_incarnation(node_->incarnation());
    own_.set_name("home");
    own_.set_state(v1::UP);
    *own_.add_services() = describe_service(*service_);
  }
  v1::MethodRecord& own_method() { return *own_.mutable_services(0)->mutable_methods(0); }
  static v1::NodeRecord other(std::uint64_t id, const std::string& method) {
    v1::NodeRecord record;
    record.set_node(id);
    record.set_incarnation(1);
    record.set_name("other" + std::to_string(id));
    record.set_state(v1::UP);
    v1::ServiceRecord& service = *record.add_services();
    service.set_name(method.substr(0, method.find('/')));
    service.add_methods()->set_name(method);
    return record;
  }
  void start(const std::vector<v1::NodeRecord>& others = {}) {
    v1::DirectoryEvent event;
    event.set_snapshot(true);
    *event.add_changed() = own_;
    for (const v1::NodeRecord& record : others) *event.add_changed() = record;
    view_.apply(NodeId{1}, event);
    worker_ = node_->home(0).spawn("cobus.dispatcher", Dispatcher::run, &dispatcher_).id;
    step();
  }
  std::string submit(const std::string& text, const std::string& method = "echo.Echo/Echo",
                     v1::Role role = v1::SUBMIT) {
    EchoRequest request;
    request.set_text(text);
    NewJob job;
    job.method = method;
    job.payload = request.SerializeAsString();
    job.role = role;
    return ledger_.submitted(std::move(job));
  }
  void run_for(Duration time) {
    for (Duration passed{0}; passed < time; passed += milliseconds(10)) advance(milliseconds(10));
  }
  v1::Job done(const std::string& id) {
    for (int i = 0; i < 100 && !is_final(ledger_.job(id).state()); ++i) run_for(milliseconds(100));
    return ledger_.job(id);
  }
  bool runs() { return node_->home(0).find(worker_) != nullptr; }

  PrivateFolder folder_;
  View view_{network_.clock()};
  InstantLedger ledger_;
  Dispatcher dispatcher_{*node_, view_, ledger_};
  Obedient* service_;
  v1::NodeRecord own_;
  WorkerId worker_;
};

TEST_F(DispatcherTest, AJobRunsAndItsResultIsKept) {
  start();
  const v1::Job job = done(submit("hi"));
  EXPECT_EQ(job.state(), v1::SUCCEEDED);
  EXPECT_EQ(job.node(), "home");
  EchoReply reply;
  EXPECT_TRUE(reply.ParseFromString(job.result()));
  EXPECT_EQ(reply.text(), "hi");
}

TEST_F(DispatcherTest, J5_WhatTurnsAJobAwayBeforeItBeganUsesNoAttemptAndIsNotAskedAgainAtOnce) {
  own_.clear_services();
  start({other(99, "echo.Echo/Echo")});  // which cannot be reached
  const std::string id = submit("hi");
  run_for(seconds(10));
  const v1::Job job = ledger_.job(id);
  EXPECT_EQ(job.state(), v1::READY);
  EXPECT_EQ(job.attempt(), 0U);
  EXPECT_NE(job.wait_reason(), "");
  EXPECT_GE(ledger_.claimed, 2U);
  EXPECT_LE(ledger_.claimed, 6U) << "every two seconds";
}

TEST_F(DispatcherTest, J5_AHandlerThatPassesOnWhatARuntimeSaidOfAnotherCallUsesAnAttempt) {
  start();
  const v1::Job job = done(submit("passed on"));
  EXPECT_EQ(job.state(), v1::FAILED);
  EXPECT_EQ(job.attempt(), attempts_max_default);
  EXPECT_EQ(from_proto(job.error()).detail("crashes"), "0") << "the node that ran it was not lost";
}

TEST_F(DispatcherTest, J5_AHandlerThatAsksToTryAgainUsesUpTheAttempts) {
  start();
  EXPECT_EQ(done(submit("again")).state(), v1::FAILED);
  EXPECT_EQ(service_->begun, static_cast<int>(attempts_max_default));
}

TEST_F(DispatcherTest, AFullPoolUsesNoAttemptAndIsLeftAloneForAWhile) {
  start();
  const std::string id = submit("pool");
  run_for(seconds(10));
  EXPECT_EQ(ledger_.job(id).state(), v1::READY);
  EXPECT_EQ(ledger_.job(id).attempt(), 0U);
  EXPECT_GE(service_->begun, 2);
  EXPECT_LE(service_->begun, 6);
}

TEST_F(DispatcherTest, ANodeIsGivenNoMoreThanItHasRoomForWhateverOthersOffer) {
  own_method().set_where(v1::POOL);
  own_.mutable_load()->set_pool_threads(1);
  v1::NodeRecord large = other(98, "other.Other/Slow");
  large.mutable_services(0)->mutable_methods(0)->set_where(v1::POOL);
  large.mutable_load()->set_pool_threads(1000);
  start({large});
  for (int i = 0; i < 50; ++i) submit("wait");
  run_for(seconds(2));
  EXPECT_EQ(service_->begun, 2);
  EXPECT_EQ(ledger_.count(v1::RUNNING), 2U);
  service_->let_go = true;
  run_for(seconds(5));
  EXPECT_EQ(ledger_.count(v1::SUCCEEDED), 50U);
}

TEST_F(DispatcherTest, InARollingUpgradeAJobGoesToANodeWithItsMethod) {
  start({other(97, "echo.Echo/Shout"), other(98, "echo.Echo/Shout"), other(99, "echo.Echo/Shout")});
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(submit("hi"));
  run_for(seconds(1));
  for (const std::string& id : ids) EXPECT_EQ(ledger_.job(id).state(), v1::SUCCEEDED);
  EXPECT_EQ(ledger_.claimed, ids.size());
}

TEST_F(DispatcherTest, TheRoleOfWhoSubmittedAJobIsLookedAtAgainWhenItsMethodTurnsUp) {
  own_method().add_roles(v1::NODE);
  own_method().add_roles(v1::ADMIN);
  start();
  const v1::Job refused = done(submit("hi", "echo.Echo/Echo", v1::SUBMIT));
  EXPECT_EQ(refused.state(), v1::FAILED);
  EXPECT_EQ(from_proto(refused.error()).code(), Code::permission_denied);
  EXPECT_EQ(service_->begun, 0);
  EXPECT_EQ(done(submit("hi", "echo.Echo/Echo", v1::ADMIN)).state(), v1::SUCCEEDED);
}

TEST_F(DispatcherTest, AResultThatNobodyCouldFetchIsAFailure) {
  start();
  const v1::Job job = done(submit("large"));
  EXPECT_EQ(job.state(), v1::FAILED);
  EXPECT_EQ(from_proto(job.error()).code(), Code::out_of_range);
}

TEST_F(DispatcherTest, WhatAWorkerSaysOfAJobIsRepairedAndBounded) {
  start();
  const v1::Job job = done(submit("note"));
  EXPECT_TRUE(job.error().message().starts_with("caf\xef\xbf\xbd ")) << job.error().message().substr(0, 20);
  EXPECT_LE(job.error().message().size(), text_bytes_max);
  EXPECT_TRUE(v1::Job().ParseFromString(job.SerializeAsString()));
}

TEST_F(DispatcherTest, W9_ADrainBeginsNothingAndLetsWhatRunsEnd) {
  start();
  const std::string first = submit("wait");
  run_for(seconds(1));
  EXPECT_EQ(ledger_.job(first).state(), v1::RUNNING);
  dispatcher_.drain();
  const std::string second = submit("hi");
  for (unsigned i = 0; i < node_->shards(); ++i) node_->home(i).stop_idle();
  run_for(seconds(2));
  EXPECT_TRUE(runs());
  EXPECT_EQ(ledger_.job(first).state(), v1::RUNNING);
  EXPECT_EQ(ledger_.job(second).state(), v1::READY);
  service_->let_go = true;
  run_for(milliseconds(100));
  EXPECT_EQ(ledger_.job(first).state(), v1::SUCCEEDED);
  EXPECT_EQ(ledger_.job(second).state(), v1::READY);
  EXPECT_FALSE(runs()) << "nothing holds up its node";
}

TEST_F(DispatcherTest, AnIdleDispatcherHoldsUpNoDrain) {
  start();
  run_for(seconds(1));
  dispatcher_.drain();
  step();
  EXPECT_FALSE(runs());
}

TEST_F(DispatcherTest, J1_WhatTheFinalStopOfItsHomeCutsShortIsReadyAgainAndUsesNoAttempt) {
  start();
  const std::string id = submit("wait");
  run_for(seconds(1));
  EXPECT_EQ(ledger_.job(id).attempt(), 1U);
  node_->home(0).find(worker_)->stop.request();
  run_for(milliseconds(100));
  EXPECT_FALSE(runs());
  EXPECT_EQ(ledger_.job(id).state(), v1::READY);
  EXPECT_EQ(ledger_.job(id).attempt(), 0U);
  EXPECT_NE(ledger_.job(id).wait_reason().find("stopped"), std::string::npos);
}

// Its node stops while the ledger is busy: it does not stay for the disk, and nothing is lost by that.
TEST_F(DispatcherTest, W7_AStopEndsTheWaitForTheLedgerAndWhatWasClaimedMeanwhileGoesBack) {
  ledger_.slow = true;
  const std::string id = submit("hi");
  start();
  ASSERT_EQ(ledger_.count(v1::RUNNING), 1U) << "claimed, and not answered";
  node_->home(0).find(worker_)->stop.request();
  step();
  EXPECT_FALSE(runs());
  ledger_.let_go();
  step();
  EXPECT_EQ(ledger_.job(id).state(), v1::READY);
  EXPECT_EQ(ledger_.job(id).attempt(), 0U);
  EXPECT_EQ(service_->begun, 0);
}

TEST_F(DispatcherTest, W7_AStopEndsTheWaitForAResultToBeWritten) {
  start();
  const std::string id = submit("hi");
  ledger_.slow = true;
  run_for(seconds(1));
  ledger_.let_go();  // the claim
  run_for(seconds(1));
  ASSERT_EQ(service_->begun, 1);
  node_->home(0).find(worker_)->stop.request();
  step();
  EXPECT_FALSE(runs());
  ledger_.let_go();
  step();
  EXPECT_EQ(ledger_.job(id).state(), v1::SUCCEEDED);
}

}  // namespace
}  // namespace cobus::job
