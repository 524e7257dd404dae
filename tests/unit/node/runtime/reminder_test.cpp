// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/reminder.hpp"

#include <gtest/gtest.h>

namespace cobus {
namespace {

using std::chrono::seconds;

TEST(Reminder, SaysWhatIsNewAtOnceAndTheSameAgainOnlyAfterAWhile) {
  Reminder reminder{seconds(30)};
  const TimePoint start{seconds(100)};
  EXPECT_TRUE(reminder.due("nobody listens", start));
  EXPECT_FALSE(reminder.due("nobody listens", start + seconds(29)));
  EXPECT_TRUE(reminder.due("another key", start + seconds(29)));
  EXPECT_FALSE(reminder.due("another key", start + seconds(58)));
  EXPECT_TRUE(reminder.due("another key", start + seconds(59)));
}

}  // namespace
}  // namespace cobus
