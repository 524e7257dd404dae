// SPDX-License-Identifier: Apache-2.0
#include "node/worker/flow.hpp"

#include <gtest/gtest.h>

namespace cobus {
namespace {

TEST(SendWindow, TakesAsManyItemsAsItWasGivenCreditFor) {
  SendWindow window(2);
  EXPECT_TRUE(window.open());
  window.sent(0);
  window.sent(0);
  EXPECT_FALSE(window.open());
  window.credited(1);
  EXPECT_TRUE(window.open());
  window.sent(0);
  EXPECT_FALSE(window.open());
}

TEST(SendWindow, HoldsBackWhenTooManyBytesAreOnTheirWay) {
  SendWindow window(64);
  window.sent(limits::stream_bytes_max - 1);
  EXPECT_TRUE(window.open()) << "the next one goes, whatever its size";
  window.sent(limits::payload_bytes_max);
  EXPECT_FALSE(window.open());
  window.credited(1);
  EXPECT_TRUE(window.open()) << "the oldest was taken";
}

TEST(SendWindow, SavesUpNoMoreThanOneCreditGives) {
  SendWindow window(0xffffffff);
  for (int i = 0; i < 10; ++i) window.credited(0xffffffff);
  std::uint32_t sent = 0;
  for (; window.open(); ++sent) window.sent(0);
  EXPECT_EQ(sent, credit_max);
}

TEST(SendWindow, CountsBytesOverAnyNumberOfItems) {
  SendWindow window(64);
  for (int i = 0; i < 500'000; ++i) {
    ASSERT_TRUE(window.open());
    window.sent(limits::stream_bytes_max / 4);
    if (i >= 2) window.credited(1);
  }
  window.sent(limits::stream_bytes_max);
  EXPECT_FALSE(window.open());
  window.credited(3);
  EXPECT_TRUE(window.open());
}

}  // namespace
}  // namespace cobus
