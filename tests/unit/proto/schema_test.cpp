// SPDX-License-Identifier: Apache-2.0
#include "proto/schema.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include <cobus/v1/job.pb.h>
#include "proto/type_id.hpp"
#include "tests/support/schemas.hpp"

namespace cobus {
namespace {

using test::schema_set;

const char* const common = "package common; message Line { string text = 1; }";
const char* const text =
    "package text; import 'common.proto';"
    "service Text { rpc Grep(GrepRequest) returns (stream common.Line); }"
    "message GrepRequest { string pattern = 1; message Options { bool whole = 1; } Options options = 2; }";

std::uint64_t id(std::string_view name) { return static_cast<std::uint64_t>(type_id(name)); }

TEST(SchemaPool, LearnsServicesFromFilesInAnyOrder) {
  SchemaPool pool;
  ASSERT_EQ(pool.add(schema_set({{"text.proto", text}, {"common.proto", common}})), Status());
  ASSERT_EQ(pool.services().size(), 1U);
  EXPECT_EQ(pool.services()[0]->full_name(), "text.Text");
}

TEST(SchemaPool, TakesTheSameSchemaTwice) {
  SchemaPool pool;
  const auto set = schema_set({{"common.proto", common}, {"text.proto", text}});
  ASSERT_EQ(pool.add(set), Status());
  EXPECT_EQ(pool.add(set), Status());
  EXPECT_EQ(pool.services().size(), 1U);
}

TEST(SchemaPool, TakesItBackFromItsOwnDescriptors) {
  SchemaPool pool;
  ASSERT_EQ(pool.add(schema_set({{"common.proto", common}, {"text.proto", text}})), Status());
  EXPECT_EQ(pool.add(collect_files(pool.services()[0]->file())), Status());
}

TEST(SchemaPool, RefusesAFileThatChanged) {
  SchemaPool pool;
  ASSERT_EQ(pool.add(schema_set({{"common.proto", common}})), Status());
  const Status status =
      pool.add(schema_set({{"common.proto", "package common; message Line { int32 text = 1; }"}}));
  EXPECT_EQ(status.code(), Code::failed_precondition);
  EXPECT_NE(status.message().find("common.proto"), std::string::npos);
}

TEST(SchemaPool, RefusesTwoContentsOfOneFileInOneSet) {
  SchemaPool pool;
  const Status status = pool.add(schema_set({{"a.proto", "package a;"}, {"a.proto", "package b;"}}));
  EXPECT_EQ(status.code(), Code::failed_precondition);
}

TEST(SchemaPool, RefusesANameThatAnotherFileDefines) {
  SchemaPool pool;
  ASSERT_EQ(pool.add(schema_set({{"common.proto", common}})), Status());
  const Status status = pool.add(schema_set({{"other.proto", common}}));
  EXPECT_EQ(status.code(), Code::failed_precondition);
  EXPECT_NE(status.message().find("common.Line"), std::string::npos) << status.message();
}

TEST(SchemaPool, NamesAMissingImport) {
  SchemaPool pool;
  const Status status = pool.add(schema_set({{"text.proto", text}}));
  EXPECT_EQ(status.code(), Code::invalid_argument);
  EXPECT_NE(status.message().find("text.proto imports common.proto"), std::string::npos);
  EXPECT_TRUE(pool.services().empty());
}

TEST(SchemaPool, FindsAnImportThatCameEarlier) {
  SchemaPool pool;
  ASSERT_EQ(pool.add(schema_set({{"common.proto", common}})), Status());
  EXPECT_EQ(pool.add(schema_set({{"text.proto", text}})), Status());
}

TEST(SchemaPool, RefusesARingOfImports) {
  SchemaPool pool;
  const Status status =
      pool.add(schema_set({{"a.proto", "import 'b.proto';"}, {"b.proto", "import 'a.proto';"}}));
  EXPECT_EQ(status.code(), Code::invalid_argument);
}

TEST(SchemaPool, RefusesAFileThatContradictsItself) {
  SchemaPool pool;
  const Status status = pool.add(schema_set({{"a.proto", "package a; message M { Missing m = 1; }"}}));
  EXPECT_EQ(status.code(), Code::invalid_argument);
  EXPECT_NE(status.message().find("Missing"), std::string::npos);
}

TEST(SchemaPool, TakesGoogleAndCobusFilesFromTheProgram) {
  SchemaPool pool;
  EXPECT_EQ(
      pool.add(schema_set(
          {{"a.proto",
            "package a; import 'google/protobuf/timestamp.proto'; import 'cobus/v1/options.proto';"
            "message M { google.protobuf.Timestamp at = 1; string s = 2 [(cobus.v1.secret) = true]; }"}})),
      Status());
}

TEST(SchemaPool, LetsTheProgramsOwnCobusFilesWin) {
  SchemaPool pool;
  EXPECT_EQ(
      pool.add(schema_set({{"cobus/v1/job.proto", "package cobus.v1; message Job { string other = 1; }"}})),
      Status());
  ASSERT_EQ(pool.services().size(), 1U);
  EXPECT_EQ(pool.services()[0]->full_name(), "cobus.v1.Jobs");
  EXPECT_EQ(pool.find_type(id("cobus.v1.Job")), v1::Job::descriptor());
}

TEST(SchemaPool, FindsTypesByTheirId) {
  SchemaPool pool;
  ASSERT_EQ(pool.add(schema_set({{"common.proto", common}, {"text.proto", text}})), Status());
  ASSERT_NE(pool.find_type(id("text.GrepRequest.Options")), nullptr);
  EXPECT_EQ(pool.find_type(id("text.GrepRequest.Options"))->full_name(), "text.GrepRequest.Options");
  EXPECT_NE(pool.find_type(id("cobus.v1.Progress")), nullptr) << "those of cobus itself are always known";
  EXPECT_EQ(pool.find_type(id("text.Missing")), nullptr);
}

TEST(CollectFiles, PutsImportsFirst) {
  const auto set = collect_files(v1::Job::descriptor()->file());
  std::vector<std::string> names;
  for (const auto& file : set.file()) names.push_back(file.name());
  EXPECT_EQ(names.back(), "cobus/v1/job.proto");
  const auto position = [&](const char* name) { return std::ranges::find(names, name) - names.begin(); };
  EXPECT_LT(position("cobus/v1/session.proto"), position("cobus/v1/envelope.proto"));
  EXPECT_LT(position("google/protobuf/descriptor.proto"), position("cobus/v1/options.proto"));
  EXPECT_EQ(names.size(), 5U);
}

TEST(SchemaDigest, DependsOnTheContents) {
  const auto one = schema_set({{"common.proto", common}});
  const auto other = schema_set({{"common.proto", "package common; message Line { string text = 2; }"}});
  EXPECT_EQ(schema_digest(one).size(), 32U);
  EXPECT_EQ(schema_digest(one), schema_digest(schema_set({{"common.proto", common}})));
  EXPECT_NE(schema_digest(one), schema_digest(other));
}

}  // namespace
}  // namespace cobus
