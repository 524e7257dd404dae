// SPDX-License-Identifier: Apache-2.0
#include "client/cli/request_input.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/private_folder.hpp"

namespace cobus::client {
namespace {

TEST(RequestInput, IsTheTextItselfOrAnEmptyRequestIfLeftOut) {
  EXPECT_EQ(read_request("{\"a\":1}"), "{\"a\":1}");
  EXPECT_EQ(read_request(Arguments()), "{}");
  EXPECT_NE(read_request("").error().message().find("a variable that is not set?"), std::string::npos);
  EXPECT_NE(read_request("@").error().message().find("@request.json"), std::string::npos);
}

TEST(RequestInput, AnAtSignNamesAFile) {
  const PrivateFolder folder;
  const std::string file = folder.path() / "request.json";
  std::ofstream(file) << "{\"b\":2}\n";
  EXPECT_EQ(read_request("@" + file), "{\"b\":2}\n");
}

TEST(RequestInput, WhatCannotBeReadIsNamed) {
  const auto missing = read_request("@/no/such/file");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(),
            Status(Code::invalid_argument, "cannot read /no/such/file: No such file or directory"));
  EXPECT_NE(read_request("@" + testing::TempDir()).error().message().find("Is a directory"),
            std::string::npos);
}

TEST(RequestInput, AFileHasABound) {
  const PrivateFolder folder;
  const std::string file = folder.path() / "large.txt";
  std::ofstream(file) << std::string(11, 'x');
  EXPECT_TRUE(read_whole_file(file, 11));
  EXPECT_NE(read_whole_file(file, 10).error().message().find("at most 10 bytes"), std::string::npos);
  EXPECT_FALSE(read_whole_file("/dev/zero", 1000)) << "and is not read beyond it";
}

}  // namespace
}  // namespace cobus::client
