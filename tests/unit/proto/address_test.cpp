// SPDX-License-Identifier: Apache-2.0
#include "proto/address.hpp"

#include <gtest/gtest.h>

namespace cobus {
namespace {

TEST(Address, BringsItsTextBack) {
  const Address address{NodeId{0x3f0c8a5512be9d01ULL}, WorkerId::make(1, 42, 7)};
  EXPECT_EQ(to_string(address), "3f0c8a5512be9d01/1.42.7");
  EXPECT_EQ(parse_address("3f0c8a5512be9d01/1.42.7"), address);
}

TEST(Address, KeepsThePartsOfAWorkerIdApart) {
  const WorkerId worker = WorkerId::make(0xff, 0xffffff, 0xffffffff);
  EXPECT_EQ(worker.shard(), 0xffU);
  EXPECT_EQ(worker.index(), 0xffffffU);
  EXPECT_EQ(worker.generation(), 0xffffffffU);
  EXPECT_EQ(parse_worker_id(to_string(worker)), worker);
}

TEST(Address, RefusesAnyOtherText) {
  for (const char* text :
       {"", "3f0c8a5512be9d01", "3f0c8a5512be9d01/", "3f0c8a5512be9d01/1.42", "x/1.42.7",
        "0000000000000000/1.42.7", "3f0c8a5512be9d01/256.1.1", "3f0c8a5512be9d01/1.42.0",
        "3f0c8a5512be9d01/1.42.7.", "3f0c8a5512be9d01/1.42.7 ", "3f0c8a5512be9d01/-1.2.3"}) {
    const Result<Address> address = parse_address(text);
    ASSERT_FALSE(address.has_value()) << text;
    EXPECT_EQ(address.error().code(), Code::invalid_argument);
  }
}

TEST(Address, OfNobodyIsFalse) {
  EXPECT_FALSE(Address{});
  EXPECT_FALSE(WorkerId{});
  EXPECT_TRUE((Address{NodeId{1}, WorkerId::make(0, 0, 1)}));
}

}  // namespace
}  // namespace cobus
