// SPDX-License-Identifier: Apache-2.0
#include "proto/status.hpp"

#include <gtest/gtest.h>

namespace cobus {
namespace {

TEST(Status, IsOkUnlessSaidOtherwise) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().to_string(), "OK");
}

TEST(Status, SaysCodeAndMessage) {
  EXPECT_EQ(Status(Code::not_found, "no service named x.Y").to_string(), "NOT_FOUND: no service named x.Y");
}

TEST(Status, NamesEveryCode) {
  EXPECT_EQ(code_name(Code::unauthenticated), "UNAUTHENTICATED");
  EXPECT_EQ(code_name(Code{17}), "UNKNOWN");
  EXPECT_EQ(code_name(Code{-1}), "UNKNOWN");
}

TEST(Status, KeepsDetails) {
  Status status(Code::aborted, "lost");
  status.with("attempt", "2");
  EXPECT_EQ(status.detail("attempt"), "2");
  EXPECT_EQ(status.detail("other"), "");
}

TEST(Status, MakesAFailedResult) {
  const Result<int> result = fail(Code::internal, "defect");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), Status(Code::internal, "defect"));
}

}  // namespace
}  // namespace cobus
