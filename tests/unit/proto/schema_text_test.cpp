// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "proto/schema.hpp"
#include "tests/support/schemas.hpp"

namespace cobus {
namespace {

class SchemaText : public testing::Test {
 protected:
  SchemaText() {
    EXPECT_EQ(pool_.add(test::schema_set(
                  {{"other.proto", "package other; message Place { string host = 1; }"}, {"text.proto", R"(
        package text;
        import "other.proto"; import "google/protobuf/timestamp.proto"; import "google/protobuf/any.proto";
        import "cobus/v1/options.proto";
        enum Order { FORWARD = 0; BACKWARD = 1; }
        message Request {
          string pattern = 1; Order order = 2; repeated other.Place places = 3; map<int32, Limit> limits = 4;
          oneof choice { bool first = 5; bool second = 6; }
          optional int64 offset = 7; google.protobuf.Timestamp since = 8; Limit limit = 9; google.protobuf.Any any = 10;
          string token = 11 [(cobus.v1.secret) = true];
          int32 byte_count = 12; int32 odd = 13 [json_name = "other"];
          message Limit { uint32 lines = 1; Deep deep = 2; message Deep { bool x = 1; } }
        }
        message Line { string text = 1; }
        message Unused {}
        service Text {
          rpc Grep(Request) returns (stream Line) { option (cobus.v1.method) = { timeout_ms: 5 }; }
          rpc Count(Line) returns (other.Place);
        })"}})),
              Status());
  }
  SchemaPool pool_;
};

TEST_F(SchemaText, WritesAServiceWithAllThatItUses) {
  const std::string text = SchemaPool::proto_text(pool_.services()[0]);
  EXPECT_TRUE(text.starts_with(
      "syntax = \"proto3\";\npackage text;\n\nimport \"cobus/v1/options.proto\";\n"
      "import \"google/protobuf/timestamp.proto\";\n"
      "import \"google/protobuf/any.proto\";\n\nservice Text {\n  rpc Grep(Request) returns (stream Line)"))
      << text;
  EXPECT_NE(text.find("rpc Count(Line) returns (other.Place);"), std::string::npos) << text;
  EXPECT_NE(text.find("timeout_ms: 5"), std::string::npos) << text;
  EXPECT_NE(text.find("\nmessage Request {\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  repeated other.Place places = 3;\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  map<int32, Request.Limit> limits = 4;\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[(cobus.v1.secret) = true]"), std::string::npos) << text;
  EXPECT_NE(text.find("int32 byte_count = 12;"), std::string::npos) << text;
  EXPECT_NE(text.find("int32 odd = 13 [json_name = \"other\"];"), std::string::npos) << text;
  EXPECT_NE(text.find("\nenum Order {\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n// package other\nmessage Place {\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("Unused"), std::string::npos) << text;
  EXPECT_EQ(text.find("message Timestamp"), std::string::npos) << text;
  EXPECT_EQ(text.find("message Line"), text.rfind("message Line")) << "each type once:\n" << text;
}

TEST_F(SchemaText, WritesAMethodWithItsMessages) {
  const std::string text = SchemaPool::proto_text(*pool_.find_method("Count"));
  EXPECT_EQ(text,
            "syntax = \"proto3\";\npackage text;\n\nservice Text {\n  // only this method of it\n"
            "  rpc Count(Line) returns (other.Place);\n}\n"
            "\nmessage Line {\n  string text = 1;\n}\n"
            "\n// package other\nmessage Place {\n  string host = 1;\n}\n");
}

TEST_F(SchemaText, WritesAMessage) {
  EXPECT_EQ(SchemaPool::proto_text(*pool_.find_message("text.Line")),
            "syntax = \"proto3\";\npackage text;\n\nmessage Line {\n  string text = 1;\n}\n");
}

TEST_F(SchemaText, MakesATemplateWithEveryField) {
  EXPECT_EQ(SchemaPool::template_json(*pool_.find_message("text.Request")), R"({
  "pattern": "",
  "order": "FORWARD",
  "places": [
    {
      "host": ""
    }
  ],
  "limits": {
    "0": {
      "lines": 0,
      "deep": {}
    }
  },
  "first": false,
  "offset": "0",
  "since": "1970-01-01T00:00:00Z",
  "limit": {
    "lines": 0,
    "deep": {}
  },
  "any": {},
  "token": "",
  "byte_count": 0,
  "odd": 0
})");
}

TEST_F(SchemaText, MakesATemplateThatIsAValidMessage) {
  for (const char* name :
       {"text.Request", "text.Line", "text.Unused", "cobus.v1.Job", "cobus.v1.NodeRecord"}) {
    const google::protobuf::Descriptor* const type = *pool_.find_message(name);
    const Result<std::string> bytes = pool_.json_to_bytes(type, SchemaPool::template_json(type));
    EXPECT_TRUE(bytes.has_value()) << name << ": " << bytes.error().to_string();
  }
}

}  // namespace
}  // namespace cobus
