// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/source_path.hpp"

#include <gtest/gtest.h>

#include <source_location>

namespace cobus {
namespace {

TEST(SourcePath, StartsAtTheRootOfTheSource) {
  EXPECT_EQ(source_path(std::source_location::current().file_name()),
            "tests/unit/node/runtime/source_path_test.cpp");
}

TEST(SourcePath, KnowsPathsFromABuildFolder) {
  EXPECT_EQ(source_path("../../node/worker/call.cpp"), "node/worker/call.cpp");
}

TEST(SourcePath, LeavesFilesOfOthersAsTheyAre) {
  EXPECT_EQ(source_path("/somewhere/else.cpp"), "/somewhere/else.cpp");
  EXPECT_EQ(source_path(""), "");
}

TEST(FunctionName, IsWhatPeopleCallIt) {
  EXPECT_EQ(function_name("Task<> cobus::(anonymous namespace)::foo(int)"), "foo");
  EXPECT_EQ(
      function_name("Task<std::pair<int, T>> cobus::X<long>::next(const T &, void (*)(int)) [T = long]"),
      "X::next");
  EXPECT_EQ(function_name("auto app::foo(Self, int)::(anonymous class)::operator()() const"),
            "app::foo::lambda");
  EXPECT_EQ(function_name("main"), "main");
  EXPECT_EQ(function_name(""), "");
}

}  // namespace
}  // namespace cobus
