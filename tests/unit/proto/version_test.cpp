// SPDX-License-Identifier: Apache-2.0
#include "proto/version.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace cobus {
namespace {

TEST(Version, HasThreeNumbers) {
  EXPECT_EQ(std::ranges::count(version(), '.'), 2);
  EXPECT_EQ(version().find_first_not_of("0123456789."), std::string_view::npos);
}

}  // namespace
}  // namespace cobus
