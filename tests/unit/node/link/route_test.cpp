// SPDX-License-Identifier: Apache-2.0
#include "node/link/route.hpp"

#include <gtest/gtest.h>

namespace cobus::link {
namespace {

TEST(Route, TowardsLoopbackIsLoopback) {
  const auto address = address_towards("tcp://127.0.0.1:7700");
  ASSERT_TRUE(address) << address.error().message();
  EXPECT_EQ(*address, "127.0.0.1");
}

TEST(Route, RefusesWhatIsNotNumericTcp) {
  EXPECT_EQ(address_towards("tcp://some.name:7700").error().code(), Code::invalid_argument);
  EXPECT_EQ(address_towards("127.0.0.1:7700").error().code(), Code::invalid_argument);
}

TEST(Route, KnowsAddressesThatCannotBeDialled) {
  EXPECT_TRUE(listens_everywhere("tcp://0.0.0.0:7700"));
  EXPECT_TRUE(listens_everywhere("tcp://[::]:7700"));
  EXPECT_FALSE(listens_everywhere("tcp://10.0.0.1:7700"));
}

}  // namespace
}  // namespace cobus::link
