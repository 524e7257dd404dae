// SPDX-License-Identifier: Apache-2.0
#include "node/link/arrivals.hpp"

#include <gtest/gtest.h>

namespace cobus::link {
namespace {

using std::chrono::seconds;

const TimePoint start{seconds(1000)};

class ArrivalsTest : public ::testing::Test {
 protected:
  ArrivalsTest() {
    limits_.of_address = 3;
    limits_.of_loopback = 5;
    limits_.in_all = 8;
    limits_.connections = 20;
  }
  std::optional<Acceptance> add(int descriptor, const std::string& address, TimePoint now = start,
                                std::size_t open = 1) {
    return arrivals_->add({descriptor, 1}, address, open, now);
  }
  ArrivalLimits limits_;
  std::optional<Arrivals> arrivals_;
  void SetUp() override { arrivals_.emplace(limits_); }
};

TEST_F(ArrivalsTest, WhoSaysNothingIsDueAfterItsTime) {
  EXPECT_EQ(arrivals_->next_due(), never);
  EXPECT_EQ(add(1, "10.0.0.1"), std::nullopt);
  EXPECT_EQ(add(2, "10.0.0.2", start + seconds(1)), std::nullopt);
  EXPECT_EQ(arrivals_->next_due(), start + limits_.patience);
  EXPECT_TRUE(arrivals_->take_due(start + limits_.patience - seconds(1)).empty());
  EXPECT_EQ(arrivals_->take_due(start + limits_.patience), (std::vector<Acceptance>{{1, 1}}));
  EXPECT_EQ(arrivals_->size(), 1U);
}

TEST_F(ArrivalsTest, WhoSpokeOrEndedIsNoneAnyMore) {
  EXPECT_EQ(add(1, "10.0.0.1"), std::nullopt);
  arrivals_->remove({1, 2});  // another connection of that descriptor
  EXPECT_EQ(arrivals_->size(), 1U);
  arrivals_->remove({1, 1});
  EXPECT_EQ(arrivals_->next_due(), never);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(add(i, "10.0.0.1"), std::nullopt);
    arrivals_->remove({i, 1});
  }
}

TEST_F(ArrivalsTest, AnAddressHasABoundAndItsNewcomersGoWhileTheOthersAreYoung) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(add(i, "10.0.0.1"), std::nullopt);
  EXPECT_EQ(add(3, "10.0.0.1", start + seconds(1)), (Acceptance{3, 1}));
  EXPECT_EQ(add(4, "10.0.0.2"), std::nullopt) << "another address is not concerned";
  EXPECT_EQ(add(5, "10.0.0.1", start + seconds(2)), (Acceptance{0, 1})) << "the oldest has had its time";
  EXPECT_EQ(arrivals_->size(), 4U);
}

TEST_F(ArrivalsTest, LoopbackIsTreatedGenerously) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(add(i, "127.0.0.1"), std::nullopt);
  EXPECT_EQ(add(5, "127.0.0.1"), (Acceptance{5, 1}));
}

TEST_F(ArrivalsTest, AllOfThemHaveABoundToo) {
  for (int i = 0; i < 8; ++i) EXPECT_EQ(add(i, "10.0.0." + std::to_string(i)), std::nullopt);
  EXPECT_EQ(add(8, "10.0.0.8"), (Acceptance{8, 1}));
  EXPECT_EQ(add(9, "10.0.0.9", start + seconds(2)), (Acceptance{0, 1}));
}

TEST_F(ArrivalsTest, NoMoreConnectionsAreHeldThanThereAreDescriptorsFor) {
  EXPECT_EQ(add(1, "10.0.0.1", start, 20), std::nullopt);
  EXPECT_EQ(add(2, "10.0.0.2", start, 21), (Acceptance{2, 1}));
  EXPECT_EQ(add(3, "10.0.0.3", start + seconds(2), 21), (Acceptance{1, 1}));
}

TEST(ArrivalLimitsTest, LeaveAQuarterOfTheDescriptorsToTheRestOfTheProcess) {
  const ArrivalLimits fitting = ArrivalLimits().within(1024);
  EXPECT_EQ(fitting.connections, 768U);
  EXPECT_EQ(fitting.in_all, 384U);
  EXPECT_EQ(ArrivalLimits().within(1'048'576).in_all, ArrivalLimits().in_all);
}

}  // namespace
}  // namespace cobus::link
