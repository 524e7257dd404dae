// SPDX-License-Identifier: Apache-2.0
#include "node/worker/outbound.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>

namespace cobus {
namespace {

using std::chrono::seconds;

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

TEST_F(OutboundTest, OnlyWhatSaysLittleBesidesItsPayloadCanBeRepeated) {
  using Said = Outbound::Said;
  SignalEnvelope envelope;
  envelope.kind = v1::MESSAGE;
  envelope.to = WorkerId{7};
  const Said said = Said::of(envelope);
  EXPECT_EQ(said.kind, v1::MESSAGE);
  EXPECT_EQ(said, Said::of(envelope));
  envelope.to = WorkerId{8};
  EXPECT_NE(said, Said::of(envelope));
  envelope.deadline = TimePoint(seconds(1));
  EXPECT_EQ(Said::of(envelope), Said{});
  envelope.deadline = never;
  envelope.kind = v1::REQUEST;
  EXPECT_EQ(Said::of(envelope), Said{});
  envelope.kind = v1::ITEM;
  EXPECT_NE(Said::of(envelope), Said{});
  envelope.extra().trace.low = 1;
  EXPECT_EQ(Said::of(envelope), Said{});
}

TEST_F(OutboundTest, WhatIsHandedOverIsNoLongerTheOneBefore) {
  Outbound::Chunk& chunk = outbound_.to(NodeId{1});
  write(1, "a");
  chunk.last.kind = v1::MESSAGE;
  chunk.takes_repeats = true;
  chunk.begin_anew();
  EXPECT_EQ(chunk.last, Outbound::Said{});
  EXPECT_FALSE(chunk.takes_repeats.has_value());
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
