// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/hidden_arguments.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cobus {
namespace {

TEST(HiddenArguments, A4_KeepTheTokenOfAJoinStringFromTheListOfProcesses) {
  std::vector<std::string> words = {"cobus-node", "--join", "cobus://h:1?cluster=abc&token=s3cret",
                                    "--name",     "n1",     "--join=cobus://h:1?token=s3cret&cluster=abc",
                                    "token=mine"};
  const std::vector<std::string> before = words;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  const HiddenArguments arguments(static_cast<int>(argv.size()), argv.data());
  ASSERT_EQ(arguments.count(), 7);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(arguments.words()[i], before[i]);
  EXPECT_EQ(arguments.words()[7], nullptr);
  EXPECT_EQ(words[2], "cobus://h:1?cluster=abc&token=******");
  EXPECT_EQ(words[5], "--join=cobus://h:1?token=******&cluster=abc");
  EXPECT_EQ(words[6], "token=mine");
  EXPECT_EQ(words[4], "n1");
}

}  // namespace
}  // namespace cobus
