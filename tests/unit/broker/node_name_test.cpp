// SPDX-License-Identifier: Apache-2.0
#include "broker/node_name.hpp"

#include <gtest/gtest.h>

#include <string>

namespace cobus::broker {
namespace {

TEST(NodeName, TakesLettersDigitsDotsDashesAndUnderscores) {
  for (const char* name : {"n1", "A", "7", "rack-3.host_2", "n--..__"})
    EXPECT_TRUE(check_node_name(name).ok()) << name;
  EXPECT_TRUE(check_node_name(std::string(63, 'n')).ok());
}

TEST(NodeName, RefusesEverythingElseAndSaysWhy) {
  for (const char* name : {"", "-n", ".n", "_n", "a b", "a/b", "a@b", "n\n", "nö", "$(id)", "../x"}) {
    const Status status = check_node_name(name);
    EXPECT_EQ(status.code(), Code::invalid_argument) << name;
    EXPECT_FALSE(status.message().empty());
  }
  EXPECT_EQ(check_node_name(std::string(64, 'n')).code(), Code::invalid_argument);
}

TEST(NodeName, ShowsNoControlCharacters) {
  EXPECT_EQ(check_node_name("a\x1b[31m\n").message().find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace cobus::broker
