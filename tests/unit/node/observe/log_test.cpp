// SPDX-License-Identifier: Apache-2.0
#include "node/observe/log.hpp"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace cobus {
namespace {

std::string logged(const std::string& program, const std::string& format, const std::string& text) {
  const auto before = spdlog::default_logger();
  ::testing::internal::CaptureStderr();
  {
    const OpenLog log(program);
    change_log("info", format);
    spdlog::info("node {} is here", text);
  }
  spdlog::set_default_logger(before);
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, WritesOneLineAMessageWhateverIsInIt) {
  const std::string line = logged("one-line", "text", "x\n12:00:00.000 info  forged\x1b[31m");
  EXPECT_EQ(std::ranges::count(line, '\n'), 1) << line;
  EXPECT_NE(line.find("node x\\n12:00:00.000 info  forged\\x1b[31m is here"), std::string::npos) << line;
}

TEST(Log, CutsWhatIsTooLong) {
  EXPECT_LT(logged("long-text", "text", std::string(900'000, 'z')).size(), 10'000U);
  EXPECT_LT(logged("long-json", "json", std::string(900'000, 'z')).size(), 10'000U);
}

TEST(Log, IsOneJsonObjectALineForPrograms) {
  const std::string line = logged("json", "json", "x\n");
  EXPECT_EQ(std::ranges::count(line, '\n'), 1) << line;
  EXPECT_NE(line.find(R"("message":"node x\n is here")"), std::string::npos) << line;
}

}  // namespace
}  // namespace cobus
