// SPDX-License-Identifier: Apache-2.0
#include "proto/type_id.hpp"

#include <gtest/gtest.h>

#include <cobus/v1/envelope.pb.h>

namespace cobus {
namespace {

TEST(TypeId, IsFnv1a) {  // the published test vectors
  static_assert(fnv1a("") == 0xcbf29ce484222325ULL);
  static_assert(fnv1a("a") == 0xaf63dc4c8601ec8cULL);
  static_assert(fnv1a("foobar") == 0x85944171f73967e8ULL);
}

TEST(TypeId, OfAMessageIsThatOfItsFullName) {
  EXPECT_EQ(type_id_of<v1::Progress>(), type_id("cobus.v1.Progress"));
}

}  // namespace
}  // namespace cobus
