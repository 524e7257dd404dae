// SPDX-License-Identifier: Apache-2.0
#include "client/cli/catalog.hpp"

#include <cobus/v1/job.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cobus::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::NodeRecord offering(std::initializer_list<const char*> methods) {
  v1::NodeRecord record;
  record.set_state(v1::UP);
  for (const std::string method : methods) {
    v1::ServiceRecord& service = *record.add_services();
    service.set_name(method.substr(0, method.find('/')));
    service.set_internal(method.starts_with("cobus."));
    service.add_methods()->set_name(method);
  }
  return record;
}

TEST(MatchingMethods, AnyTailOfTheNameWillDo) {
  const std::vector<v1::NodeRecord> nodes = {offering({"text.Text/WordCount", "echo.Echo/Echo"})};
  for (const char* name : {"text.Text/WordCount", "Text/WordCount", "text.Text.WordCount", "WordCount"}) {
    EXPECT_THAT(matching_methods(nodes, name), ElementsAre("text.Text/WordCount")) << name;
  }
  EXPECT_THAT(matching_methods(nodes, "Count"), IsEmpty()) << "a tail is made of whole words";
  EXPECT_THAT(matching_methods(nodes, ""), IsEmpty());
}

TEST(MatchingMethods, WhatSeveralNodesOfferIsOneMethod) {
  EXPECT_THAT(matching_methods({offering({"a.B/C"}), offering({"a.B/C"})}, "C"), ElementsAre("a.B/C"));
  EXPECT_THAT(matching_methods({offering({"a.B/C"}), offering({"x.Y/C"})}, "C"),
              ElementsAre("a.B/C", "x.Y/C"));
}

TEST(MatchingMethods, AWholeNameCountsAlone) {
  EXPECT_THAT(matching_methods({offering({"a.Api/Get", "Api/Get"})}, "Api/Get"), ElementsAre("Api/Get"));
}

TEST(MatchingMethods, ThoseOfCobusItselfStepBack) {
  const std::vector<v1::NodeRecord> nodes = {
      offering({"cobus.v1.Jobs/Get", "shop.Cart/Get", "cobus.v1.Jobs/Submit"})};
  EXPECT_THAT(matching_methods(nodes, "Get"), ElementsAre("shop.Cart/Get"));
  EXPECT_THAT(matching_methods(nodes, "Submit"), ElementsAre("cobus.v1.Jobs/Submit"));
}

TEST(Catalog, BytesOfAnUnknownTypeAreShownInHexadecimal) {
  View view(system_clock());
  const Catalog catalog(view);
  EXPECT_EQ(one_line(catalog.decoded(nullptr, "x.Y", std::string_view("\x08\xff", 2))),
            R"({"type":"x.Y","hex":"08ff"})");
  EXPECT_EQ(one_line(catalog.decoded(nullptr, "result of x.Y/Z", "a")),
            R"({"type":"result of x.Y/Z","hex":"61"})");
}

TEST(Catalog, BytesThatAreNoSuchMessageAreShownInHexadecimal) {
  View view(system_clock());
  const Catalog catalog(view);
  EXPECT_EQ(catalog.decoded(v1::Job::descriptor(), "cobus.v1.Job", "\xff\xff")["hex"], "ffff");
}

}  // namespace
}  // namespace cobus::client
