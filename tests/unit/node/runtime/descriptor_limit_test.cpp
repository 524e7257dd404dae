// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/descriptor_limit.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

namespace cobus {
namespace {

TEST(DescriptorLimit, IsRaisedToWhatTheProcessMayHave) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit low{.rlim_cur = 256, .rlim_max = limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(descriptor_limit(), 256U);
  raise_descriptor_limit();
  EXPECT_EQ(descriptor_limit(), std::min<std::size_t>(limit.rlim_max, 1 << 20));
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

}  // namespace
}  // namespace cobus
