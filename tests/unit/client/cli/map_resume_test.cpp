// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_resume.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cobus::client {
namespace {

using testing::HasSubstr;

class MapResumeTest : public testing::Test {
 protected:
  MapResumeTest() {
    options_.method = "echo.Echo/Echo";
    options_.joblog = "run.tsv";
    options_.resume = true;
    JoblogEntry good;
    good.sequence = 1;
    good.command = "echo.Echo/Echo {\"text\":\"a\"}";
    JoblogEntry bad;
    bad.sequence = 2;
    bad.command = "echo.Echo/Echo {bad";
    bad.exit = 1;
    bad.job = "01k2";
    resume_.load({{1, good}, {2, bad}});
  }
  Result<bool> passes_over(std::uint64_t sequence, const std::string& text, std::uint64_t line = 0) {
    input_ = {sequence, false, text, {}, line};
    return resume_.passes_over(options_, input_);
  }
  MapInput input_;
  MapOptions options_;
  MapResume resume_;
};

TEST_F(MapResumeTest, TheSameRequestUnderItsNumberIsDone) {
  EXPECT_EQ(passes_over(1, "{\"text\":\"a\"}"), true);
  EXPECT_EQ(passes_over(2, "{bad"), true);
  EXPECT_EQ(passes_over(3, "{}"), false);
  EXPECT_EQ(resume_.done(), 2U);
  EXPECT_EQ(resume_.failed(), 1U);
  EXPECT_EQ(resume_.last(), 2U);
}

TEST_F(MapResumeTest, WithRetryFailedWhatFailedIsLeft) {
  options_.retry_failed = true;
  EXPECT_EQ(passes_over(2, "{bad"), false);
  EXPECT_EQ(input_.failed_job, "01k2");
  EXPECT_EQ(resume_.done(), 0U);
}

TEST_F(MapResumeTest, AnotherRequestUnderTheNumberIsAnotherInput) {
  const auto other = passes_over(1, "{\"text\":\"b\"}", 4);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::invalid_argument);
  EXPECT_THAT(other.error().message(),
              HasSubstr("the joblog is of another input: line 4 is {\"text\":\"b\"}"));
  EXPECT_THAT(other.error().message(), HasSubstr("run.tsv has {\"text\":\"a\"}"));
  input_ = {1, true, "a.txt", {}};
  EXPECT_FALSE(resume_.passes_over(options_, input_));
}

TEST_F(MapResumeTest, AnotherMethodIsRefused) {
  options_.method = "math.Primes/Count";
  EXPECT_THAT(passes_over(1, "{\"text\":\"a\"}").error().message(), HasSubstr("another method"));
}

}  // namespace
}  // namespace cobus::client
