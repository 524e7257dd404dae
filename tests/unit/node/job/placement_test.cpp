// SPDX-License-Identifier: Apache-2.0
#include "node/job/placement.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace cobus::job {
namespace {

using std::chrono::seconds;

class PlacementTest : public testing::Test {
 protected:
  struct Offer {
    std::string method;
    v1::Where where = v1::SHARD;
    std::vector<v1::Role> roles{};
  };
  v1::NodeRecord& node(std::uint64_t id, const std::vector<Offer>& offers, std::uint32_t pool_threads = 1) {
    v1::NodeRecord& record = nodes_.emplace_back();
    record.set_node(id);
    record.set_name("n" + std::to_string(id));
    record.set_state(v1::UP);
    record.mutable_load()->set_pool_threads(pool_threads);
    for (const Offer& offer : offers) {
      v1::ServiceRecord& service = *record.add_services();
      service.set_name(offer.method.substr(0, offer.method.find('/')));
      v1::MethodRecord& method = *service.add_methods();
      method.set_name(offer.method);
      method.set_where(offer.where);
      for (const v1::Role role : offer.roles) method.add_roles(role);
    }
    return record;
  }
  Result<Placement::Place> take(const std::string& method, v1::Role role = v1::SUBMIT) {
    ClaimedJob job;
    job.method = method;
    job.role = role;
    return placement_.take(job, nodes_, clock_.now(), random_);
  }
  std::uint32_t free_for(const std::string& method) {
    for (const Placement::Room& room : placement_.rooms(nodes_, clock_.now())) {
      if (std::find(room.methods.begin(), room.methods.end(), method) != room.methods.end())
        return placement_.free(room);
    }
    return 0;
  }

  ManualClock clock_;
  SeededRandom random_{7};
  Placement::Nodes nodes_;
  Placement placement_;
};

TEST_F(PlacementTest, AMethodHasThePlacesOfTheNodesThatOfferItAndOfNoOthers) {
  node(1, {{"a.A/Slow", v1::POOL}}, 1);
  node(2, {{"b.B/Slow", v1::POOL}}, 100);
  EXPECT_EQ(free_for("a.A/Slow"), 2U);
  EXPECT_EQ(free_for("b.B/Slow"), 101U);
  EXPECT_EQ(take("a.A/Slow").value().node, NodeId{1});
  EXPECT_TRUE(take("a.A/Slow"));
  EXPECT_EQ(free_for("a.A/Slow"), 0U);
  EXPECT_EQ(take("a.A/Slow").error().code(), Code::unavailable);
  EXPECT_EQ(free_for("b.B/Slow"), 101U);
}

TEST_F(PlacementTest, AnUnsteadyNodeGetsAJobOnlyWhenNoOtherHasAPlaceForIt) {
  node(1, {{"a.A/Slow", v1::POOL}, {"b.B/Fast", v1::SHARD}}, 1);
  node(2, {{"a.A/Slow", v1::POOL}}, 1);
  placement_.prefer_others_to({NodeId{1}});
  EXPECT_EQ(take("a.A/Slow").value().node, NodeId{2});
  EXPECT_EQ(take("a.A/Slow").value().node, NodeId{2});
  EXPECT_EQ(take("a.A/Slow").value().node, NodeId{1});
  EXPECT_EQ(take("a.A/Slow").value().node, NodeId{1});
  EXPECT_EQ(take("a.A/Slow").error().code(), Code::unavailable);
  EXPECT_EQ(take("b.B/Fast").value().node, NodeId{1}) << "nobody else offers it";
}

TEST_F(PlacementTest, MethodsThatShareANodeShareItsPlaces) {
  node(1, {{"a.A/Slow", v1::POOL}, {"b.B/Slow", v1::POOL}, {"a.A/Fast", v1::SHARD}}, 1);
  node(2, {{"b.B/Slow", v1::POOL}}, 1);
  EXPECT_EQ(free_for("b.B/Slow"), 4U);
  EXPECT_TRUE(take("a.A/Slow"));
  EXPECT_TRUE(take("a.A/Slow"));
  EXPECT_EQ(free_for("b.B/Slow"), 2U);
  EXPECT_EQ(take("b.B/Slow").value().node, NodeId{2});
  EXPECT_EQ(free_for("a.A/Fast"), 128U) << "what blocks in the pool takes no place on a shard";
}

TEST_F(PlacementTest, AJobGoesToANodeWithTheMethodNotOnlyTheService) {
  node(1, {{"a.A/Old", v1::SHARD}});
  node(2, {{"a.A/Old", v1::SHARD}, {"a.A/New", v1::SHARD}});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(take("a.A/New").value().node, NodeId{2});
  EXPECT_EQ(take("a.A/Newest").error().code(), Code::unavailable);
}

TEST_F(PlacementTest, AMethodMayRunOnTheShardsOfOneNodeAndInThePoolOfAnother) {
  node(1, {{"a.A/Slow", v1::POOL}}, 0);
  node(2, {{"a.A/Slow", v1::SHARD}});
  std::map<NodeId, int> given;
  while (const auto place = take("a.A/Slow")) {
    EXPECT_EQ(place.value().where, place.value().node == NodeId{1} ? v1::POOL : v1::SHARD);
    ++given[place.value().node];
  }
  EXPECT_EQ(given[NodeId{1}], 1);
  EXPECT_EQ(given[NodeId{2}], 128);
}

TEST_F(PlacementTest, AJobRunsInTheNameOfWhoSubmittedIt) {
  node(1, {{"a.A/Admin", v1::SHARD, {v1::NODE, v1::ADMIN}}});
  EXPECT_EQ(take("a.A/Admin", v1::SUBMIT).error().code(), Code::permission_denied);
  EXPECT_TRUE(take("a.A/Admin", v1::ADMIN));
  node(2, {{"a.A/Admin", v1::SHARD}});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(take("a.A/Admin", v1::SUBMIT).value().node, NodeId{2});
}

TEST_F(PlacementTest, ANodeThatTurnedAJobAwayIsGivenNoneForAWhile) {
  node(1, {{"a.A/Fast", v1::SHARD}, {"a.A/Slow", v1::POOL}});
  node(2, {{"a.A/Fast", v1::SHARD}});
  placement_.avoid(NodeId{1}, clock_.now());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(take("a.A/Fast").value().node, NodeId{2});
  EXPECT_EQ(free_for("a.A/Slow"), 0U);
  EXPECT_FALSE(take("a.A/Slow"));
  clock_.advance(seconds(2));
  EXPECT_TRUE(take("a.A/Slow"));
}

TEST_F(PlacementTest, ANodeWithAFullPoolStillTakesWhatRunsOnItsShards) {
  node(1, {{"a.A/Fast", v1::SHARD}, {"a.A/Slow", v1::POOL}});
  const auto place = take("a.A/Slow");
  placement_.avoid(place.value(), clock_.now());
  EXPECT_FALSE(take("a.A/Slow"));
  EXPECT_TRUE(take("a.A/Fast"));
}

TEST_F(PlacementTest, JobsGoToTheNodeWithTheMostRoomAndAPlaceGivenBackIsFree) {
  node(1, {{"a.A/Slow", v1::POOL}}, 3);
  node(2, {{"a.A/Slow", v1::POOL}}, 3);
  std::vector<Placement::Place> taken;
  std::map<NodeId, int> given;
  while (const auto place = take("a.A/Slow")) {
    ++given[place.value().node];
    taken.push_back(place.value());
  }
  EXPECT_EQ(given[NodeId{1}], 4);
  EXPECT_EQ(given[NodeId{2}], 4);
  for (const auto& place : taken) placement_.give_back(place);
  EXPECT_EQ(free_for("a.A/Slow"), 8U);
}

TEST_F(PlacementTest, WhatIsPartOfCobusIsNoJob) {
  node(1, {{"cobus.v1.Jobs/Submit", v1::SHARD}}).mutable_services(0)->set_internal(true);
  EXPECT_TRUE(placement_.rooms(nodes_, clock_.now()).empty());
  EXPECT_FALSE(take("cobus.v1.Jobs/Submit", v1::NODE));
}

}  // namespace
}  // namespace cobus::job
