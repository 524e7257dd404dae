// SPDX-License-Identifier: Apache-2.0
#include "client/cli/schema_cache.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "proto/schema.hpp"
#include "tests/support/private_folder.hpp"
#include "tests/support/schemas.hpp"

namespace cobus::client {
namespace {

TEST(SchemaCache, KeepsWhatADigestNames) {
  const PrivateFolder folder;
  const auto files = test::schema_set({{"a.proto", "message A {}"}});
  const std::string digest = schema_digest(files);
  SchemaCache(folder.path() / "schemas").store(digest, files);
  const SchemaCache again(folder.path() / "schemas");
  ASSERT_TRUE(again.load(digest));
  EXPECT_EQ(schema_digest(*again.load(digest)), digest);
  EXPECT_FALSE(again.load(std::string(32, 'x')));
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "schemas"))
    std::ofstream(entry.path()) << "spoilt";
  EXPECT_FALSE(again.load(digest)) << "other contents than the digest says";
}

TEST(SchemaCache, KeepsNothingWithoutAFolder) {
  const auto files = test::schema_set({{"a.proto", "message A {}"}});
  const SchemaCache none({});
  none.store(schema_digest(files), files);
  EXPECT_FALSE(none.load(schema_digest(files)));
}

TEST(SchemaCache, IsBounded) {
  const PrivateFolder folder;
  const SchemaCache cache(folder.path());
  for (int i = 0; i < 100; ++i) {
    const auto files = test::schema_set({{"a.proto", "message A" + std::to_string(i) + " {}"}});
    cache.store(schema_digest(files), files);
  }
  const std::filesystem::directory_iterator all(folder.path());
  EXPECT_EQ(std::distance(begin(all), end(all)), 64);
}

}  // namespace
}  // namespace cobus::client
