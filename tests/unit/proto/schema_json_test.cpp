// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "proto/schema.hpp"
#include "tests/support/schemas.hpp"

namespace cobus {
namespace {

class SchemaJson : public testing::Test {
 protected:
  SchemaJson() {
    EXPECT_EQ(pool_.add(test::schema_set({{"all.proto", R"(
        package all;
        import "google/protobuf/any.proto"; import "google/protobuf/timestamp.proto";
        import "google/protobuf/struct.proto"; import "google/protobuf/wrappers.proto";
        import "cobus/v1/options.proto";
        message Counts { int32 lines = 1; uint64 byte_count = 2; string note = 3; }
        message Login { string user = 1; string password = 2 [(cobus.v1.secret) = true]; }
        message Vault {
          repeated Login logins = 1; map<string, Login> named = 2; Login one = 3;
          repeated int64 pins = 4 [(cobus.v1.secret) = true]; google.protobuf.Any any = 5;
        }
        message Google {
          google.protobuf.Timestamp at = 1; google.protobuf.Struct free = 2; google.protobuf.Int64Value wrapped = 3;
        }
        message Numbers { float single = 1; double twice = 2; int64 large = 3; })"}})),
              Status());
  }

  const google::protobuf::Descriptor* type(const char* name) const { return *pool_.find_message(name); }
  // There and back again.
  std::string through(const char* name, std::string_view json, JsonStyle style = {}) const {
    const Result<std::string> bytes = pool_.json_to_bytes(type(name), json);
    if (!bytes) return bytes.error().to_string();
    const Result<std::string> back = pool_.bytes_to_json(type(name), *bytes, style);
    return back ? *back : back.error().to_string();
  }

  SchemaPool pool_;
};

TEST_F(SchemaJson, PrintsNamesOfTheProtoDefaultsAnd64BitsAsStrings) {
  EXPECT_EQ(through("all.Counts", R"({"byteCount": 5})"), R"({"lines":0,"byte_count":"5","note":""})");
}

TEST_F(SchemaJson, PrintsPrettyIndentedByTwo) {
  EXPECT_EQ(through("all.Counts", "{}", {.pretty = true}),
            "{\n  \"lines\": 0,\n  \"byte_count\": \"0\",\n  \"note\": \"\"\n}");
}

TEST_F(SchemaJson, KeepsNumbersExactly) {
  const std::string json = R"({"single":0.1,"twice":0.30000000000000004,"large":"9223372036854775807"})";
  EXPECT_EQ(through("all.Numbers", json), json);
  const std::string pretty = through("all.Numbers", json, {.pretty = true});
  EXPECT_EQ(through("all.Numbers", pretty), json);
}

TEST_F(SchemaJson, TakesWellKnownTypes) {
  const std::string json = R"({"free":{"a":[1,null]},"at":"2020-01-02T03:04:05Z","wrapped":"7"})";
  EXPECT_EQ(through("all.Google", json), json);
}

TEST_F(SchemaJson, NamesTheFieldWhenAWellKnownTypeIsWrong) {
  const std::string error = through("all.Google", R"({"at": "yesterday"})");
  EXPECT_TRUE(error.starts_with("INVALID_ARGUMENT: all.Google: ")) << error;
  EXPECT_NE(error.find("at"), std::string::npos) << error;
  EXPECT_NE(error.find("yesterday"), std::string::npos) << error;
}

TEST_F(SchemaJson, RefusesWhatTheCheckRefuses) {
  EXPECT_EQ(through("all.Counts", R"({"line": 5})"),
            "INVALID_ARGUMENT: all.Counts has no field 'line'; did you mean 'lines'?");
}

TEST_F(SchemaJson, RefusesBytesOfSomethingElse) {
  const Result<std::string> json = pool_.bytes_to_json(type("all.Counts"), "\x1a\xff");
  ASSERT_FALSE(json.has_value());
  EXPECT_EQ(json.error().to_string(),
            "INVALID_ARGUMENT: 2 bytes that are no all.Counts; sender and reader may have different versions "
            "of its "
            "schema");
}

TEST_F(SchemaJson, ShowsSecretsUnlessAskedNotTo) {
  EXPECT_EQ(through("all.Login", R"({"user":"a","password":"b"})"), R"({"user":"a","password":"b"})");
}

TEST_F(SchemaJson, HidesSecretsAtAnyDepth) {
  const std::string json =
      R"({"logins":[{"user":"a","password":"b"}],"named":{"n":{"user":"c","password":"d"}},)"
      R"("one":{"user":"e","password":"f"},"pins":["1","2"],)"
      R"("any":{"@type":"type.googleapis.com/all.Login","user":"g","password":"h"}})";
  EXPECT_EQ(through("all.Vault", json, {.redact_secrets = true}),
            R"({"logins":[{"user":"a","password":"***"}],"named":{"n":{"user":"c","password":"***"}},)"
            R"("one":{"user":"e","password":"***"},"pins":"***",)"
            R"("any":{"@type":"type.googleapis.com/all.Login","user":"g","password":"***"}})");
}

TEST_F(SchemaJson, HidesSecretsOfPrettyJsonToo) {
  const std::string json =
      through("all.Login", R"({"password":"b"})", {.pretty = true, .redact_secrets = true});
  EXPECT_EQ(json, "{\n  \"user\": \"\",\n  \"password\": \"***\"\n}");
}

TEST_F(SchemaJson, ConvertsTypesOfCobusItself) {
  EXPECT_EQ(through("cobus.v1.Progress", R"({"fraction":0.5})"), R"({"fraction":0.5,"note":""})");
}

}  // namespace
}  // namespace cobus
