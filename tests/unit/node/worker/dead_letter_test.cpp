// SPDX-License-Identifier: Apache-2.0
#include "node/worker/dead_letter.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>

namespace cobus {
namespace {

std::string told_of(std::string_view to_name) {
  const auto before = spdlog::default_logger();
  std::ostringstream text;
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "dead letters", std::make_shared<spdlog::sinks::ostream_sink_st>(text)));
  DeadLetters letters;
  letters.add(DeadLetter::no_such_name, NodeId{1}, Address{NodeId{2}, WorkerId{3}}, Address{NodeId{1}, {}},
              to_name, TypeId{4}, TimePoint(std::chrono::seconds(10)));
  spdlog::set_default_logger(before);
  return text.str();
}

TEST(DeadLetters, NameTheReceiver) {
  EXPECT_NE(told_of("printer").find("to 'printer' at 0000000000000001, type"), std::string::npos);
}

TEST(DeadLetters, LetNoNameForgeALineOrFillTheLog) {
  const std::string forged = told_of("x'\n12:00 info  forged\x1b[31m");
  EXPECT_EQ(std::ranges::count(forged, '\n'), 1) << forged;
  EXPECT_EQ(forged.find('\x1b'), std::string::npos);
  EXPECT_LT(told_of(std::string(900'000, 'z')).size(), 1000U);
}

}  // namespace
}  // namespace cobus
