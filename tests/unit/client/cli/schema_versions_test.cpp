// SPDX-License-Identifier: Apache-2.0
#include "client/cli/schema_versions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cobus/v1/job.pb.h>
#include "tests/support/schemas.hpp"

namespace cobus::client {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::string api(const std::string& package, const std::string& field) {
  return "package " + package + "; message Request { string " + field +
         " = 1; } service Api { rpc Get(Request) returns (Request); }";
}

TEST(SchemaVersions, FilesOfOneNameStandBesideEachOther) {
  SchemaVersions schemas;
  EXPECT_EQ(schemas.add("a", test::schema_set({{"api.proto", api("teama", "x")}})), Status());
  EXPECT_EQ(schemas.add("b", test::schema_set({{"api.proto", api("teamb", "y")}})), Status());
  ASSERT_NE(schemas.find_method("a", "teama.Api/Get"), nullptr);
  ASSERT_NE(schemas.find_method("b", "teamb.Api/Get"), nullptr);
  EXPECT_EQ(schemas.find_method("a", "teamb.Api/Get"), nullptr);
  ASSERT_NE(schemas.find_message("teamb.Request"), nullptr);
  const auto both = full_method_name("Api/Get", schemas.services());
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().code(), Code::invalid_argument);
  EXPECT_THAT(both.error().message(), HasSubstr("teama.Api/Get, teamb.Api/Get"));
}

TEST(SchemaVersions, EachVersionOfAMethodConvertsItsOwnMessages) {
  SchemaVersions schemas;
  EXPECT_EQ(schemas.add("old", test::schema_set({{"api.proto", api("team", "x")}})), Status());
  EXPECT_EQ(schemas.add("new", test::schema_set({{"api.proto", api("team", "y")}})), Status());
  ASSERT_THAT(schemas.methods("team.Api/Get"), SizeIs(2));
  EXPECT_EQ(full_method_name("Api/Get", schemas.services()).value_or(""), "team.Api/Get")
      << "two versions are one name";
  const auto* const old_type = schemas.find_method("old", "team.Api/Get")->input_type();
  const auto* const new_type = schemas.find_method("new", "team.Api/Get")->input_type();
  EXPECT_TRUE(schemas.pool_of(old_type).json_to_bytes(old_type, R"({"x":"1"})"));
  EXPECT_FALSE(schemas.pool_of(old_type).json_to_bytes(old_type, R"({"y":"1"})"));
  EXPECT_TRUE(schemas.pool_of(new_type).json_to_bytes(new_type, R"({"y":"1"})"));
}

TEST(SchemaVersions, OneLendsAMessageToAnother) {
  SchemaVersions schemas;
  EXPECT_EQ(schemas.add("a", test::schema_set({{"a.proto", api("teama", "x")}})), Status());
  EXPECT_EQ(schemas.add("b", test::schema_set({{"b.proto", api("teamb", "y")}})), Status());
  EXPECT_EQ(schemas.add("c", test::schema_set({{"b.proto", api("teamc", "z")}})), Status());
  const auto* const into = schemas.find_message("teama.Request");
  EXPECT_FALSE(schemas.pool_of(into).find_message("teamb.Request"));
  EXPECT_EQ(schemas.lend(into, "teamb.Request"), Status());
  EXPECT_TRUE(schemas.pool_of(into).find_message("teamb.Request"));
  EXPECT_EQ(schemas.lend(into, "teamc.Request").code(), Code::failed_precondition)
      << "two files named b.proto";
  EXPECT_EQ(schemas.lend(into, "no.Such").code(), Code::not_found);
}

TEST(SchemaVersions, OneThatIsMalformedIsNotKept) {
  SchemaVersions schemas;
  EXPECT_FALSE(schemas.add("bad", test::schema_set({{"a.proto", "import \"missing.proto\";"}})).ok());
  EXPECT_FALSE(schemas.has("bad"));
  EXPECT_TRUE(schemas.empty());
}

TEST(SchemaVersions, MessagesOfTheProgramItselfAreKnown) {
  const SchemaVersions schemas;
  EXPECT_NE(schemas.find_message("cobus.v1.Job"), nullptr);
  EXPECT_TRUE(schemas.pool_of(v1::Job::descriptor()).bytes_to_json(v1::Job::descriptor(), ""));
}

}  // namespace
}  // namespace cobus::client
