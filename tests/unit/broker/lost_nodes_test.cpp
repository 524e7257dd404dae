// SPDX-License-Identifier: Apache-2.0
#include "broker/lost_nodes.hpp"

#include <gtest/gtest.h>

namespace cobus::broker {
namespace {

using std::chrono::minutes;

constexpr TimePoint start{};

v1::DirectoryEvent gone(const std::string& name, const std::string& reason) {
  v1::DirectoryEvent event;
  event.add_gone()->set_name(name);
  event.mutable_gone(0)->set_reason(reason);
  return event;
}

v1::DirectoryEvent here(const std::string& name) {
  v1::DirectoryEvent event;
  event.add_changed()->set_name(name);
  return event;
}

std::string names(const LostNodes& lost, TimePoint now) {
  std::string all;
  for (const v1::LostNode& node : lost.list(now).nodes()) all += node.name() + " ";
  return all;
}

TEST(LostNodes, AreThoseThatTookNoLeave) {
  LostNodes lost;
  lost.apply(gone("killed", "connection lost"), start);
  lost.apply(gone("frozen", "lease ended"), start);
  for (const char* reason : {"left", "revoked", "replaced by a later life"})
    lost.apply(gone(reason, reason), start);
  EXPECT_EQ(names(lost, start), "frozen killed ");
}

TEST(LostNodes, AreToldForAnHour) {
  LostNodes lost;
  lost.apply(gone("alpha", "connection lost"), start);
  lost.apply(gone("beta", "connection lost"), start + minutes(30));
  EXPECT_EQ(lost.list(start + minutes(59)).nodes(0).ago_ms(), 59U * 60 * 1000);
  EXPECT_EQ(names(lost, start + minutes(59)), "alpha beta ");
  EXPECT_EQ(names(lost, start + minutes(60)), "beta ");
  EXPECT_EQ(names(lost, start + minutes(90)), "");
}

TEST(LostNodes, AreLostNoMoreWhenTheyAreBack) {
  LostNodes lost;
  lost.apply(gone("alpha", "connection lost"), start);
  lost.apply(here("beta"), start);
  EXPECT_EQ(names(lost, start), "alpha ");
  lost.apply(here("alpha"), start);
  EXPECT_EQ(names(lost, start), "");
}

TEST(LostNodes, AreBounded) {
  LostNodes lost;
  for (std::size_t i = 0; i < LostNodes::nodes_max + 10; ++i)
    lost.apply(gone(std::to_string(i), "connection lost"), start);
  EXPECT_EQ(lost.list(start).nodes_size(), static_cast<int>(LostNodes::nodes_max));
  lost.apply(gone("later", "connection lost"), start + minutes(60));
  EXPECT_EQ(names(lost, start + minutes(60)), "later ");
}

}  // namespace
}  // namespace cobus::broker
