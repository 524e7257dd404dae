// SPDX-License-Identifier: Apache-2.0
#include "broker/lease_table.hpp"

#include <gtest/gtest.h>

namespace cobus::broker {
namespace {

using std::chrono::seconds;

constexpr NodeId a{1};
constexpr NodeId b{2};
constexpr TimePoint start{seconds(100)};

TEST(LeaseTable, EndsALeaseThatNobodyRenewed) {
  LeaseTable leases(seconds(6));
  ASSERT_TRUE(leases.renew(a, 1, start).ok());
  EXPECT_TRUE(leases.expire(start + seconds(6) - Duration(1)).empty());
  EXPECT_EQ(leases.expire(start + seconds(6)), std::vector<NodeId>{a});
  EXPECT_FALSE(leases.holds(a));
}

TEST(LeaseTable, KeepsNodeThatRenews) {
  LeaseTable leases(seconds(6));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(leases.renew(a, 1, start + seconds(2 * i)).ok());
    EXPECT_TRUE(leases.expire(start + seconds(2 * i + 1)).empty());
  }
  EXPECT_EQ(leases.size(), 1U);
}

TEST(LeaseTable, KeepsNodeThatRenewsLate) {
  LeaseTable leases(seconds(6));
  ASSERT_TRUE(leases.renew(a, 1, start).ok());
  ASSERT_TRUE(leases.renew(a, 1, start + seconds(9)).ok());
  EXPECT_TRUE(leases.expire(start + seconds(10)).empty());
}

TEST(LeaseTable, GivesTheEarliestFirst) {
  LeaseTable leases(seconds(6));
  ASSERT_TRUE(leases.renew(b, 1, start).ok());
  ASSERT_TRUE(leases.renew(a, 1, start + seconds(1)).ok());
  EXPECT_EQ(leases.expire(start + seconds(60)), (std::vector<NodeId>{b, a}));
}

TEST(LeaseTable, RefusesAnOlderIncarnationAndKeepsTheNewer) {
  LeaseTable leases(seconds(6));
  ASSERT_TRUE(leases.renew(a, 5, start).ok());
  EXPECT_EQ(leases.renew(a, 4, start + seconds(5)).code(), Code::failed_precondition);
  EXPECT_EQ(leases.next_expiry(), start + seconds(6));
  EXPECT_TRUE(leases.renew(a, 6, start + seconds(5)).ok());
}

TEST(LeaseTable, SaysWhenTheNextLeaseEnds) {
  LeaseTable leases(seconds(6));
  EXPECT_EQ(leases.next_expiry(), never);
  ASSERT_TRUE(leases.renew(a, 1, start).ok());
  ASSERT_TRUE(leases.renew(b, 1, start + seconds(2)).ok());
  EXPECT_EQ(leases.next_expiry(), start + seconds(6));
  leases.remove(a);
  leases.remove(a);
  EXPECT_EQ(leases.next_expiry(), start + seconds(8));
  leases.remove(b);
  EXPECT_EQ(leases.next_expiry(), never);
}

}  // namespace
}  // namespace cobus::broker
