// SPDX-License-Identifier: Apache-2.0
#include "node/worker/outbound.hpp"

#include <gtest/gtest.h>

#include <map>

namespace cobus {
namespace {

class OutboundTest : public ::testing::Test {
 protected:
  void write(std::uint64_t node, const std::string& envelope) {
    Outbound::Chunk& chunk = outbound_.to(NodeId{node});
    chunk.make_room();
    chunk.envelopes += envelope;
    outbound_.written();
  }
  std::map<std::uint64_t, std::string> submitted() {
    std::map<std::uint64_t, std::string> all;
    outbound_.submit_all([&](NodeId node, Outbound::Chunk& chunk) {
      all[static_cast<std::uint64_t>(node)] = std::exchange(chunk.envelopes, {});
    });
    return all;
  }
  Outbound outbound_;
};

TEST_F(OutboundTest, CollectsForEachNodeInOrder) {
  write(1, "a");
  write(2, "b");
  write(1, "c");
  write(2, "d");
  EXPECT_EQ(outbound_.bytes(), 4U);
  EXPECT_EQ(submitted(), (std::map<std::uint64_t, std::string>{{1, "ac"}, {2, "bd"}}));
  EXPECT_EQ(outbound_.bytes(), 0U);
  EXPECT_TRUE(submitted().empty());
}

TEST_F(OutboundTest, RememberedNodesThatAreNotSentToAreForgotten) {
  for (std::uint64_t node = 1; node <= 1000; ++node) write(node, "x");
  EXPECT_EQ(submitted().size(), 1000U);
  write(7, "y");
  write(1001, "z");
  EXPECT_EQ(submitted(), (std::map<std::uint64_t, std::string>{{7, "y"}, {1001, "z"}}));
}

}  // namespace
}  // namespace cobus
