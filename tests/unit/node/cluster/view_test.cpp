// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/view.hpp"

#include <gtest/gtest.h>

#include <future>
#include <set>

#include "proto/limits.hpp"

namespace cobus {
namespace {

constexpr NodeId broker_a{1};
constexpr NodeId broker_b{2};

class ViewTest : public ::testing::Test {
 protected:
  static v1::NodeRecord node(std::uint64_t id, const std::string& name, std::uint64_t revision = 1) {
    v1::NodeRecord record;
    record.set_node(id);
    record.set_incarnation(1);
    record.set_revision(revision);
    record.set_name(name);
    record.set_state(v1::UP);
    record.add_services()->set_name("echo.Echo");
    return record;
  }
  static v1::DirectoryEvent event(bool snapshot, std::initializer_list<v1::NodeRecord> changed) {
    v1::DirectoryEvent made;
    made.set_snapshot(snapshot);
    for (const v1::NodeRecord& record : changed) *made.add_changed() = record;
    return made;
  }
  static v1::DirectoryEvent gone(std::uint64_t id) {
    v1::DirectoryEvent made;
    made.add_gone()->set_node(id);
    return made;
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const v1::NodeRecord& record : view_.nodes()) all.push_back(record.name());
    return all;
  }
  using Names = std::vector<std::string>;
  std::vector<NodeId> expire() { return view_.expire(clock_.now()).forgotten; }
  // Those that no broker vouches for.
  Names unconfirmed() {
    Names all;
    for (const v1::NodeRecord& record : view_.nodes()) {
      if (record.unconfirmed()) all.push_back(record.name());
    }
    return all;
  }

  ManualClock clock_;
  View view_{clock_};
};

TEST_F(ViewTest, IsTheUnionOfWhatBrokersSay) {
  view_.apply(broker_a, event(true, {node(10, "alpha")}));
  view_.apply(broker_b, event(true, {node(10, "alpha"), node(11, "beta")}));
  EXPECT_EQ(names(), (Names{"alpha", "beta"}));
  view_.apply(broker_a, gone(10));
  EXPECT_EQ(names(), (Names{"alpha", "beta"})) << "the other broker still knows alpha";
  EXPECT_EQ(view_.apply(broker_b, gone(10)).forgotten, std::vector<NodeId>{NodeId{10}});
  EXPECT_EQ(names(), Names{"beta"});
}

TEST_F(ViewTest, ASnapshotForgetsWhatItDoesNotName) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta")}));
  view_.apply(broker_a, event(true, {node(11, "beta")}));
  EXPECT_EQ(names(), Names{"beta"});
}

TEST_F(ViewTest, ASnapshotInPartsForgetsWithItsLastPart) {
  const auto part = [](std::uint32_t number, bool more, std::initializer_list<v1::NodeRecord> changed) {
    v1::DirectoryEvent made = event(true, changed);
    made.set_part(number);
    made.set_more(more);
    return made;
  };
  view_.apply(broker_a, part(0, true, {node(10, "alpha")}));
  EXPECT_FALSE(view_.complete());
  EXPECT_TRUE(view_.apply(broker_a, part(1, false, {node(11, "beta")})).forgotten.empty());
  EXPECT_TRUE(view_.complete());
  EXPECT_EQ(names(), (Names{"alpha", "beta"}));
  // Broken off, then begun anew: what the first one named does not count.
  view_.apply(broker_a, part(0, true, {node(10, "alpha")}));
  view_.apply(broker_a, part(0, true, {node(12, "gamma")}));
  EXPECT_EQ(names(), (Names{"alpha", "beta", "gamma"}));
  EXPECT_EQ(view_.apply(broker_a, part(1, false, {node(11, "beta")})).forgotten,
            std::vector<NodeId>{NodeId{10}});
  EXPECT_EQ(names(), (Names{"beta", "gamma"}));
}

TEST_F(ViewTest, KeepsItsLastStateWhenTheBrokerIsLostUntilTheNextLifeSpeaks) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta")}));
  view_.broker_lost(broker_a);
  EXPECT_EQ(names(), (Names{"alpha", "beta"}));
  view_.apply(broker_b, event(true, {node(10, "alpha")}));
  EXPECT_TRUE(expire().empty());
  EXPECT_EQ(names(), (Names{"alpha", "beta"}));
  clock_.advance(limits::lease_ttl);
  EXPECT_EQ(expire(), std::vector<NodeId>{NodeId{11}});
  EXPECT_EQ(names(), Names{"alpha"});
  view_.apply(broker_b, gone(10));
  EXPECT_EQ(names(), Names{}) << "the dead broker holds nobody here";
}

TEST_F(ViewTest, ABrokerThatIsBackHoldsItsNodesAgain) {
  view_.apply(broker_a, event(true, {node(10, "alpha")}));
  view_.apply(broker_b, event(true, {node(10, "alpha")}));
  view_.broker_lost(broker_a);
  view_.apply(broker_a, event(true, {node(10, "alpha")}));
  EXPECT_TRUE(view_.apply(broker_b, gone(10)).forgotten.empty());
  EXPECT_EQ(names(), Names{"alpha"}) << "the broker whose connection only broke still has it";
  EXPECT_EQ(view_.apply(broker_a, gone(10)).forgotten, std::vector<NodeId>{NodeId{10}});
}

TEST_F(ViewTest, TellsOfARecordBeforeAnotherThreadCanChooseItsNode) {
  std::future<Result<NodeId>> chosen;
  view_.apply(broker_a, event(true, {node(10, "alpha")}), [&](const v1::NodeRecord& record) {
    EXPECT_EQ(record.name(), "alpha");
    chosen = std::async(std::launch::async, [this] { return view_.choose("echo.Echo"); });
    EXPECT_EQ(chosen.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  });
  ASSERT_TRUE(chosen.valid());
  EXPECT_EQ(*chosen.get(), NodeId{10});
}

TEST_F(ViewTest, D6_HoldsWhatALostBrokerVouchedForWhileNoBrokerAnswers) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta")}));
  EXPECT_EQ(unconfirmed(), Names{});
  view_.broker_lost(broker_a);
  EXPECT_EQ(view_.next_expiry(), never);
  clock_.advance(std::chrono::hours(10));
  EXPECT_TRUE(expire().empty());
  EXPECT_EQ(unconfirmed(), (Names{"alpha", "beta"}));
  EXPECT_EQ(view_.nodes().at(0).age_ms(), 36'000'000U) << "marked with its age";
  EXPECT_TRUE(view_.choose("echo.Echo"));
  EXPECT_TRUE(view_.complete());
}

TEST_F(ViewTest, D6_HoldsThemForOneLeaseAfterABrokerAnswersAndMoreWhileItFills) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta")}));
  view_.broker_lost(broker_a);
  v1::DirectoryEvent just_started = event(true, {});
  just_started.set_filling_ms(1'000);
  EXPECT_TRUE(view_.apply(broker_b, just_started).forgotten.empty());
  EXPECT_EQ(view_.next_expiry(), clock_.now() + std::chrono::seconds(1) + limits::lease_ttl);
  view_.apply(broker_b, event(false, {node(10, "alpha")}));
  EXPECT_EQ(unconfirmed(), Names{"beta"});
  clock_.advance(limits::lease_ttl);
  EXPECT_TRUE(expire().empty());
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(expire(), std::vector<NodeId>{NodeId{11}});
  EXPECT_EQ(names(), Names{"alpha"});
  EXPECT_EQ(view_.next_expiry(), never);
}

TEST_F(ViewTest, D6_ABrokerThatIsLostAgainDoesNotEndTheTimeOfAny) {
  view_.apply(broker_a, event(true, {node(10, "alpha")}));
  view_.broker_lost(broker_a);
  view_.apply(broker_b, event(true, {}));
  clock_.advance(limits::lease_ttl - std::chrono::milliseconds(1));
  view_.broker_lost(broker_b);
  clock_.advance(std::chrono::hours(1));
  EXPECT_TRUE(expire().empty());
  EXPECT_EQ(names(), Names{"alpha"});
}

TEST_F(ViewTest, D6_TheOnlyBrokerOfANodeIsBelievedWhenItsSameLifeNamesItNoMore) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta")}));
  view_.broker_lost(broker_a);
  EXPECT_EQ(view_.apply(broker_a, event(true, {node(10, "alpha")})).forgotten,
            std::vector<NodeId>{NodeId{11}});
  EXPECT_EQ(unconfirmed(), Names{});
}

TEST_F(ViewTest, D6_ABrokerThatHasJustStartedDoesNotMakeTheViewComplete) {
  v1::DirectoryEvent just_started = event(true, {});
  just_started.set_filling_ms(2'000);
  view_.apply(broker_a, just_started);
  EXPECT_TRUE(view_.answered());
  EXPECT_FALSE(view_.complete());
  EXPECT_EQ(view_.choose("echo.Echo").error().code(), Code::unavailable);
  clock_.advance(std::chrono::seconds(2));
  EXPECT_TRUE(view_.complete());
  EXPECT_EQ(view_.choose("echo.Echo").error().code(), Code::not_found);
  // Another one says earlier that it is.
  view_.broker_lost(broker_a);
  just_started.set_filling_ms(4'000'000'000);
  view_.apply(broker_b, just_started);
  EXPECT_FALSE(view_.complete());
  v1::DirectoryEvent filled = event(false, {});
  filled.set_filled(true);
  view_.apply(broker_b, filled);
  EXPECT_TRUE(view_.complete());
}

TEST_F(ViewTest, D6_CallsPreferWhoIsConfirmedOrHasASessionWithUs) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta"), node(12, "gamma")}));
  view_.broker_lost(broker_a);
  std::set<NodeId> chosen;
  for (int i = 0; i < 6; ++i) chosen.insert(*view_.choose("echo.Echo"));
  EXPECT_EQ(chosen.size(), 3U) << "all of them are unconfirmed";
  view_.found(NodeId{11});
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(*view_.choose("echo.Echo"), NodeId{11}) << "our own session says as much";
  view_.apply(broker_b, event(true, {node(10, "alpha")}));
  for (int i = 0; i < 6; ++i) EXPECT_NE(*view_.choose("echo.Echo"), NodeId{12});
  view_.lost(NodeId{11});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(*view_.choose("echo.Echo"), NodeId{10});
  EXPECT_EQ(view_.unsteady(), (std::set<NodeId>{NodeId{11}, NodeId{12}}));
}

TEST_F(ViewTest, D6_WhoIsUnconfirmedAndLostByOurOwnLinkIsTheLastChoice) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta")}));
  view_.broker_lost(broker_a);
  view_.found(NodeId{10});
  view_.lost(NodeId{10});
  clock_.advance(std::chrono::seconds(10));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(*view_.choose("echo.Echo"), NodeId{11});
}

TEST_F(ViewTest, D5_ALaterLifeEndsAnUnconfirmedEarlierOneAtOnce) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta")}));
  view_.broker_lost(broker_a);
  v1::NodeRecord later = node(20, "alpha");
  later.set_incarnation(2);
  EXPECT_EQ(view_.apply(broker_b, event(true, {later})).forgotten, std::vector<NodeId>{NodeId{10}});
  EXPECT_EQ(names(), (Names{"alpha", "beta"}));
  EXPECT_EQ(view_.find_name("alpha")->node(), 20U);
}

TEST_F(ViewTest, AnOlderRevisionChangesNothing) {
  view_.apply(broker_a, event(true, {node(10, "alpha", 5)}));
  EXPECT_TRUE(view_.apply(broker_b, event(true, {node(10, "old", 4)})).learned.empty());
  EXPECT_EQ(names(), Names{"alpha"});
}

TEST_F(ViewTest, NobodyAndCouldNotAskAreDifferentAnswers) {
  EXPECT_EQ(view_.choose("echo.Echo").error().code(), Code::unavailable);
  view_.apply(broker_a, event(true, {}));
  EXPECT_EQ(view_.choose("echo.Echo").error().code(), Code::not_found);
}

TEST_F(ViewTest, ProvidersTakeTurnsAndOneThatWasLostIsLeftOutForAWhile) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta")}));
  EXPECT_NE(*view_.choose("echo.Echo"), *view_.choose("echo.Echo"));
  view_.lost(NodeId{10});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(*view_.choose("echo.Echo"), NodeId{11});
  clock_.advance(std::chrono::seconds(3));
  EXPECT_NE(*view_.choose("echo.Echo"), *view_.choose("echo.Echo"));
}

TEST_F(ViewTest, OneThatIsLostAgainAndAgainGetsNewWorkOnlyWhenNobodyElseCanDoIt) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta")}));
  const auto flap = [&] {
    clock_.advance(std::chrono::seconds(10));
    const Duration unsteady_for = view_.lost(NodeId{10});
    view_.found(NodeId{10});
    return unsteady_for;
  };
  EXPECT_EQ(flap(), Duration(0));
  EXPECT_EQ(flap(), Duration(0));
  EXPECT_NE(*view_.choose("echo.Echo"), *view_.choose("echo.Echo")) << "it happens";
  const Duration unsteady_for = flap();
  EXPECT_GT(unsteady_for, std::chrono::minutes(1));
  EXPECT_EQ(view_.unsteady(), std::set<NodeId>{NodeId{10}});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(*view_.choose("echo.Echo"), NodeId{11});
  // The directory lost it too, and has it back.
  view_.apply(broker_a, gone(10));
  view_.apply(broker_a, event(false, {node(10, "alpha", 2)}));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(*view_.choose("echo.Echo"), NodeId{11});
  view_.apply(broker_a, gone(11));
  EXPECT_EQ(*view_.choose("echo.Echo"), NodeId{10}) << "there is no other";
  view_.apply(broker_a, event(false, {node(11, "beta", 2)}));
  clock_.advance(unsteady_for + std::chrono::seconds(1));
  EXPECT_TRUE(view_.unsteady().empty());
  EXPECT_NE(*view_.choose("echo.Echo"), *view_.choose("echo.Echo"));
}

TEST_F(ViewTest, OneThatOurOwnLinkSuspectsGetsNewWorkOnlyWhenNobodyElseCanDoIt) {
  view_.apply(broker_a, event(true, {node(10, "alpha"), node(11, "beta")}));
  view_.suspect(NodeId{10}, true);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(*view_.choose("echo.Echo"), NodeId{11});
  view_.suspect(NodeId{11}, true);
  EXPECT_NE(*view_.choose("echo.Echo"), *view_.choose("echo.Echo"));
  view_.suspect(NodeId{10}, false);
  EXPECT_EQ(view_.unsteady(), std::set<NodeId>{NodeId{11}});
  view_.lost(NodeId{11});
  EXPECT_TRUE(view_.unsteady().empty()) << "it is lost now";
}

TEST_F(ViewTest, SuspicionIsWhatAnyBrokerSaysForAsLongAsThatOneDoes) {
  v1::NodeRecord suspected = node(10, "alpha");
  suspected.set_suspected(true);
  using Brokers = std::vector<NodeId>;
  view_.apply(broker_a, event(true, {node(10, "alpha")}));
  view_.apply(broker_b, event(true, {node(10, "alpha")}));
  EXPECT_FALSE(view_.nodes().at(0).suspected());
  view_.apply(broker_a, event(false, {suspected}));
  view_.apply(broker_b, event(false, {node(10, "alpha")}));
  EXPECT_TRUE(view_.nodes().at(0).suspected());
  EXPECT_EQ(view_.suspected_by(NodeId{10}), Brokers{broker_a});
  EXPECT_NE(*view_.choose("echo.Echo"), NodeId::none) << "a verdict of the broker's own";
  view_.apply(broker_b, event(false, {suspected}));
  EXPECT_EQ(view_.suspected_by(NodeId{10}), (Brokers{broker_a, broker_b}));
  view_.broker_lost(broker_a);
  view_.apply(broker_b, event(false, {node(10, "alpha")}));
  EXPECT_FALSE(view_.nodes().at(0).suspected());
  EXPECT_EQ(view_.suspected_by(NodeId{10}), Brokers{});
}

TEST_F(ViewTest, AMethodIsLookedForWhereItIsAndNotWhereverItsServiceIs) {
  v1::NodeRecord older = node(10, "older");
  older.mutable_services(0)->add_methods()->set_name("echo.Echo/Echo");
  v1::NodeRecord newer = node(11, "newer");
  newer.mutable_services(0)->add_methods()->set_name("echo.Echo/Echo");
  newer.mutable_services(0)->add_methods()->set_name("echo.Echo/Shout");
  view_.apply(broker_a, event(true, {older, newer}));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(*view_.choose("echo.Echo/Shout"), NodeId{11});
  EXPECT_EQ(view_.providers("echo.Echo/Shout").size(), 1U);
  EXPECT_NE(*view_.choose("echo.Echo/Echo"), *view_.choose("echo.Echo/Echo"));
  EXPECT_NE(*view_.choose("echo.Echo"), *view_.choose("echo.Echo")) << "a service by its bare name";
  const Status nobody = view_.choose("echo.Echo/Sing").error();
  EXPECT_EQ(nobody.code(), Code::not_found);
  EXPECT_NE(nobody.message().find("echo.Echo/Sing"), std::string::npos) << nobody.message();
}

TEST_F(ViewTest, ARecordWithoutMethodsIsTakenToHaveThemAll) {
  view_.apply(broker_a, event(true, {node(10, "alpha")}));
  EXPECT_EQ(*view_.choose("echo.Echo/Echo"), NodeId{10});
  EXPECT_FALSE(view_.choose("echo.Ech/Echo"));
}

TEST_F(ViewTest, AnAgeCountsOnFromWhatTheBrokerSaid) {
  v1::NodeRecord told = node(10, "alpha");
  told.set_age_ms(300);
  view_.apply(broker_a, event(true, {told}));
  clock_.advance(std::chrono::milliseconds(200));
  view_.apply(broker_a, event(false, {node(11, "beta")}));
  EXPECT_EQ(view_.nodes().at(0).age_ms(), 500U);
  EXPECT_EQ(view_.nodes().at(1).age_ms(), 0U);
  EXPECT_EQ(view_.find_name("alpha")->age_ms(), 500U);
}

TEST_F(ViewTest, ANodeThatIsDownIsListedApartUntilItIsBack) {
  v1::DirectoryEvent told = event(true, {node(10, "alpha")});
  *told.add_down() = node(9, "beta");
  view_.apply(broker_a, told);
  EXPECT_EQ(names(), Names{"alpha"});
  ASSERT_EQ(view_.down().size(), 1U);
  EXPECT_EQ(view_.down().front().name(), "beta");
  view_.apply(broker_a, event(false, {node(11, "beta")}));
  EXPECT_TRUE(view_.down().empty());
}

}  // namespace
}  // namespace cobus
