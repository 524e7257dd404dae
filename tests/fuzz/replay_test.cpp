// SPDX-License-Identifier: Apache-2.0
//
// All inputs that fuzzing has found worth keeping, each cut short and damaged too. One a line in
// corpus/TARGET.hex.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "node/runtime/random.hpp"
#include "tests/fuzz/targets.hpp"

namespace cobus::fuzz {
namespace {

std::vector<std::string> inputs_of(const std::string& target) {
  std::vector<std::string> inputs;
  std::ifstream file(std::string(COBUS_FUZZ_CORPUS) + "/" + target + ".hex");
  for (std::string line; std::getline(file, line);) {
    std::string bytes;
    for (std::size_t at = 0; at + 1 < line.size(); at += 2)
      bytes += static_cast<char>(std::stoi(line.substr(at, 2), nullptr, 16));
    inputs.push_back(std::move(bytes));
  }
  return inputs;
}

// In a buffer of exactly its size, so that a sanitizer sees one byte too far.
void run(const Target& target, const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  target.run({exact.data(), exact.size()});
}

class Fuzz : public testing::TestWithParam<Target> {};

TEST_P(Fuzz, M7_ReadsWhateverItWasGivenOnce) {
  const std::vector<std::string> inputs = inputs_of(GetParam().name);
  ASSERT_GE(inputs.size(), 3U) << "no corpus";
  SeededRandom random(1);
  for (const std::string& input : inputs) {
    run(GetParam(), input);
    run(GetParam(), input.substr(0, random.below(input.size() + 1)));
    for (int i = 0; i < 20 && !input.empty(); ++i) {
      std::string damaged = input;
      damaged[random.below(damaged.size())] = static_cast<char>(random.next());
      run(GetParam(), damaged);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Fuzz, testing::ValuesIn(targets),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cobus::fuzz
