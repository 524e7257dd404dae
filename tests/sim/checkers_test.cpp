// SPDX-License-Identifier: Apache-2.0
//
// Every checker can complain, and is content with what may be.
#include "tests/sim/checkers.hpp"

#include <gtest/gtest.h>

namespace cobus::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Address one{NodeId{1}, WorkerId::make(0, 1, 1)};
const Address other{NodeId{2}, WorkerId::make(0, 2, 1)};

TEST(SimCheckers, PairOrderIsContentWithGapsBetweenSessionsOnly) {
  Complaints complaints;
  PairOrder order(complaints);
  order.got(one, other, 1, 1);
  order.got(one, other, 2, 1);
  order.got(one, other, 5, 3);
  order.got(other, one, 1, 1);
  EXPECT_EQ(complaints.count(), 0U);
  order.got(one, other, 7, 3);
  EXPECT_EQ(complaints.count(), 1U);
}

TEST(SimCheckers, PairOrderComplainsOfWhatComesTwiceOrBehindTheEnd) {
  Complaints complaints;
  PairOrder order(complaints);
  order.got(one, other, 1, 1);
  order.got(one, other, 1, 1);
  EXPECT_EQ(complaints.count(), 1U);
  order.over(one, other);
  order.got(other, one, 1, 1);
  EXPECT_EQ(complaints.count(), 1U);
  order.got(one, other, 2, 1);
  EXPECT_EQ(complaints.count(), 2U);
}

TEST(SimCheckers, PairOrderMissesWhatWasSentInPeace) {
  Complaints complaints;
  PairOrder order(complaints);
  order.sent_in_peace(one, other, 1);
  order.sent_in_peace(other, one, 1);
  order.got(one, other, 1, 1);
  order.finish();
  EXPECT_EQ(complaints.count(), 1U);
}

TEST(SimCheckers, MonitorBookWantsOneDownForEachMonitor) {
  Complaints complaints;
  MonitorBook book(complaints);
  book.monitors(one, 1, other);
  book.monitors(one, 2, other);
  book.monitors(one, 3, other);
  book.takes_back(one, 3);
  book.down(one, 1, other, Status());
  EXPECT_EQ(complaints.count(), 0U);
  book.down(one, 1, other, Status());
  EXPECT_EQ(complaints.count(), 1U);
  book.down(one, 3, other, Status());
  EXPECT_EQ(complaints.count(), 2U);
  book.finish();
  EXPECT_EQ(complaints.count(), 3U) << "monitor 2 never fired";
}

TEST(SimCheckers, MonitorBookComplainsOfTheDownOfALivingWorker) {
  Complaints complaints;
  MonitorBook book(complaints);
  book.born(other);
  book.monitors(one, 1, other);
  book.down(one, 1, other, Status(Code::unavailable, "its node was lost"));
  book.monitors(one, 2, other);
  EXPECT_EQ(complaints.count(), 0U);
  book.down(one, 2, other, Status(Code::internal, "it broke"));
  EXPECT_EQ(complaints.count(), 1U);
  book.monitors(one, 3, other);
  book.finish();
  EXPECT_EQ(complaints.count(), 1U) << "its target lives";
}

TEST(SimCheckers, CallBookWantsOneEndByTheDeadline) {
  Complaints complaints;
  CallBook book(complaints);
  const TimePoint start{};
  const std::uint64_t first = book.begins(start + seconds(1));
  const std::uint64_t second = book.begins(start + seconds(1));
  const std::uint64_t third = book.begins(start + seconds(1));
  book.served(first);
  book.ends(first, start + milliseconds(1005), Status());
  EXPECT_EQ(complaints.count(), 0U);
  book.ends(first, start + milliseconds(1006), Status());
  book.served(first);
  EXPECT_EQ(complaints.count(), 2U);
  book.ends(second, start + milliseconds(1100), Status());
  EXPECT_EQ(complaints.count(), 3U);
  book.finish();
  EXPECT_EQ(complaints.count(), 4U) << "call " << third << " never ended";
}

TEST(SimCheckers, RestartBookCountsWithinThePeriod) {
  Complaints complaints;
  RestartBook book(complaints, "s", 2, seconds(5));
  const TimePoint start{};
  book.sees(1, start);
  book.sees(2, start + seconds(4));
  book.sees(3, start + seconds(5));
  EXPECT_EQ(complaints.count(), 0U);
  book.sees(4, start + seconds(6));
  EXPECT_EQ(complaints.count(), 1U);
}

}  // namespace
}  // namespace cobus::sim
