// SPDX-License-Identifier: Apache-2.0
#include "client/cli/inspect_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cobus::client {
namespace {

TEST(WorkerPlace, IsANodeAndAWorkerOrAName) {
  const auto worker = parse_worker_place("alpha/1.8.3");
  ASSERT_TRUE(worker.has_value());
  EXPECT_EQ(worker->node, "alpha");
  EXPECT_EQ(worker->worker, WorkerId::make(1, 8, 3));
  EXPECT_EQ(worker->name, "");
  const auto name = parse_worker_place("3f0c8a5512be9d01/my/counter");
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(name->node, "3f0c8a5512be9d01");
  EXPECT_EQ(name->name, "my/counter");
  EXPECT_FALSE(name->worker);
}

TEST(WorkerPlace, AnythingElseIsRefusedWithAnExample) {
  for (const char* text : {"", "/", "alpha", "alpha/", "/1.8.3", "alpha/1.8", "alpha/1.8.3.4",
                           "alpha/300.1.1", "alpha/0.0.0", "alpha/."}) {
    const auto place = parse_worker_place(text);
    ASSERT_FALSE(place.has_value()) << text;
    EXPECT_EQ(place.error().code(), Code::invalid_argument);
    EXPECT_THAT(place.error().message(), ::testing::HasSubstr("for example alpha/1.8.3"));
  }
}

}  // namespace
}  // namespace cobus::client
