// SPDX-License-Identifier: Apache-2.0
//
// JSON as a kind: what goes there and back, and what one of the two directions has to refuse.
#include "proto/json_writer.hpp"

#include <gtest/gtest.h>

#include "proto/schema.hpp"
#include "tests/support/schemas.hpp"

namespace cobus {
namespace {

const char* const new_schema = R"(
  package n;
  import "google/protobuf/any.proto"; import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
  import "google/protobuf/struct.proto"; import "google/protobuf/wrappers.proto"; import "google/protobuf/field_mask.proto";
  import "google/protobuf/empty.proto"; import "cobus/v1/options.proto";
  enum Color { RED = 0; GREEN = 1; }
  message Scalars {
    int32 i32 = 1; sint32 s32 = 2; sfixed32 x32 = 3; uint32 u32 = 4; fixed32 f32 = 5;
    int64 i64 = 6; sint64 s64 = 7; sfixed64 x64 = 8; uint64 u64 = 9; fixed64 f64 = 10;
    float single = 11; double twice = 12; bool flag = 13; string text = 14; bytes data = 15; Color color = 16;
  }
  message Known {
    google.protobuf.Timestamp at = 1; google.protobuf.Duration took = 2; google.protobuf.FieldMask mask = 3;
    google.protobuf.Struct free = 4; google.protobuf.Value value = 5; google.protobuf.ListValue list = 6;
    google.protobuf.Any any = 7; google.protobuf.Int64Value wrapped = 8; google.protobuf.StringValue words = 9;
    google.protobuf.BytesValue raw = 10; google.protobuf.Empty empty = 11; google.protobuf.NullValue nothing = 12;
    repeated google.protobuf.Value values = 13; repeated google.protobuf.Timestamp times = 14; string rest = 15;
    repeated google.protobuf.NullValue nothings = 16; google.protobuf.FloatValue part = 17;
    oneof choice { google.protobuf.Value one = 18; google.protobuf.NullValue none = 19; string two = 20; }
  }
  message Maps {
    map<string, int32> words = 1; map<int32, string> small = 2; map<uint64, string> large = 3; map<bool, string> flags = 4;
    map<string, google.protobuf.Value> free = 5; map<sint64, Maps> nested = 6;
  }
  message Deep { Deep self = 1; map<string, Deep> named = 2; repeated Deep list = 3; google.protobuf.Any any = 4; string word = 5; }
  message Order { string z = 3; string a = 1; string m = 2; optional string maybe = 9; }
  message Bytes { bytes text = 14; })";
const char* const old_schema = R"(syntax = "proto2";
  package o;
  enum Level { LOW = 1; HIGH = 2; }
  message Old {
    required string name = 1; optional int32 size = 2 [default = 7]; repeated group Row = 3 { optional string cell = 1; }
    optional Old inner = 4; optional Level level = 5 [default = HIGH]; optional group Single = 6 { required int32 x = 1; }
    extensions 100 to 200;
  }
  extend Old { optional string note = 100; }
  message Raw { optional bytes name = 1; optional int32 size = 2; })";

class JsonKinds : public testing::Test {
 protected:
  JsonKinds() {
    EXPECT_EQ(pool_.add(test::schema_set({{"n.proto", new_schema}, {"o.proto", old_schema}})), Status());
  }

  const google::protobuf::Descriptor* type(const char* name) const { return *pool_.find_message(name); }
  std::string bytes(const char* name, std::string_view json) const {
    const auto result = pool_.json_to_bytes(type(name), json);
    if (!result) ADD_FAILURE() << json << ": " << result.error().message();
    return result.value_or("");
  }
  // The fields of `json` after a way there and back.
  std::string through(const char* name, const std::string& json) const {
    const auto back = pool_.message_json(type(name), bytes(name, json));
    if (!back) return back.error().to_string();
    if (const Status problem = back->status(name); !problem.ok()) return problem.to_string();
    nlohmann::ordered_json kept = nlohmann::ordered_json::object();
    const auto given = nlohmann::json::parse(json);
    for (const auto& [key, value] : back->value.items()) {
      if (given.contains(key)) kept[key] = value;
    }
    return kept.dump();
  }
  void expect_same(const char* name, const std::string& json) const { EXPECT_EQ(through(name, json), json); }
  std::string refused(const char* name, std::string_view json) const {
    const auto result = pool_.json_to_bytes(type(name), json);
    EXPECT_FALSE(result) << json;
    return result ? "" : result.error().message();
  }
  MessageJson shown(const char* name, const std::string& encoded, bool redact = false) const {
    auto result = pool_.message_json(type(name), encoded, redact);
    if (!result) ADD_FAILURE() << result.error().message();
    return result ? std::move(*result) : MessageJson();
  }

  SchemaPool pool_;
};

TEST_F(JsonKinds, ScalarsGoThereAndBackAtTheirEdges) {
  for (const char* json :
       {R"({"i32":-2147483648,"s32":2147483647,"x32":-2147483648,"u32":4294967295,"f32":4294967295})",
        R"({"i64":"-9223372036854775808","s64":"9223372036854775807","x64":"-9223372036854775808"})",
        R"({"u64":"18446744073709551615","f64":"18446744073709551615"})", R"({"single":3.4028235e+38})",
        R"({"single":1e-45})", R"({"single":16777216,"twice":9007199254740991})",
        R"({"twice":1.7976931348623157e+308})", R"({"twice":5e-324})", R"({"twice":-0.0})",
        R"({"twice":"NaN"})", R"({"single":"-Infinity","twice":"Infinity"})",
        R"({"flag":true,"text":"\u0000\"\\/\ud83d\ude00","data":"AP/+","color":"GREEN"})", R"({"color":77})",
        R"({"twice":0.1,"single":0.1})", R"({"twice":1e+23})"}) {
    EXPECT_EQ(nlohmann::json::parse(through("n.Scalars", json)), nlohmann::json::parse(json)) << json;
  }
}

TEST_F(JsonKinds, WholeNumbersMayBeWrittenOtherwise) {
  for (const char* json :
       {R"({"i64":9007199254740993.0})", R"({"i64":900719925474099.3e1})", R"({"i64":9007199254740993})",
        R"({"i64":"9007199254740993"})", R"({"i64":9007199254740993e0})"}) {
    EXPECT_EQ(through("n.Scalars", json), R"({"i64":"9007199254740993"})") << json;
  }
  EXPECT_EQ(through("n.Scalars", R"({"i32":1e3,"u64":1.8446744073709551615e19,"i64":-0})"),
            R"({"i32":1000,"i64":"0","u64":"18446744073709551615"})");
}

TEST_F(JsonKinds, RefusesScalarsBeyondTheirEdges) {
  for (const char* json : {R"({"i32":2147483648})",
                           R"({"i32":-2147483649})",
                           R"({"u32":-1})",
                           R"({"u32":4294967296})",
                           R"({"i32":1.5})",
                           R"({"i64":9223372036854775808})",
                           R"({"i64":-9223372036854775809})",
                           R"({"u64":18446744073709551616})",
                           R"({"u64":1.8446744073709551616e19})",
                           R"({"i64":9223372036854775807.5})",
                           R"({"i32":""})",
                           R"({"i32":" 1"})",
                           R"({"i32":"0x1"})",
                           R"({"i32":true})",
                           R"({"single":3.5e38})",
                           R"({"single":"1e39"})",
                           R"({"twice":1e309})",
                           R"({"twice":"1e309"})",
                           R"({"twice":"inf"})",
                           R"({"twice":"nan"})",
                           R"x({"twice":"nan(1)"})x",
                           R"({"twice":""})",
                           R"({"twice":true})",
                           R"({"flag":"yes"})",
                           R"({"flag":1})",
                           R"({"data":"a"})",
                           R"({"data":"a b="})",
                           R"({"text":1})",
                           R"({"text":"\ud800"})",
                           R"({"color":1.5})",
                           R"({"color":2147483648})",
                           R"({"color":""})"}) {
    EXPECT_NE(refused("n.Scalars", json), "") << json;
  }
}

TEST_F(JsonKinds, WellKnownTypesGoThereAndBack) {
  for (
      const char* json :
      {R"({"at":"0001-01-01T00:00:00Z","took":"-315576000000s","mask":"a.bC,d"})",
       R"({"at":"9999-12-31T23:59:59.999999999Z"})", R"({"free":{},"list":[],"mask":""})",
       R"({"free":{"a":[1,null,{"b":true}],"c":"x"},"value":null,"list":[null,[],{}]})", R"({"value":-1.5})",
       R"({"value":{"a":9007199254740991}})", R"({"wrapped":"-9223372036854775808","words":"","raw":""})",
       R"({"empty":{},"nothing":null,"values":[null,1,"x",[null]],"nothings":[null,null]})",
       R"({"part":0.1})", R"({"one":null})", R"({"none":null})", R"({"any":{}})",
       R"({"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}})",
       R"({"any":{"@type":"x.y/n.Order","z":"1","a":"2","m":""}})",
       R"({"any":{"@type":"x/google.protobuf.Empty"}})",
       R"({"any":{"@type":"x/google.protobuf.Any","value":{"@type":"x/google.protobuf.Struct","value":{"k":1}}}})"}) {
    expect_same("n.Known", json);
  }
}

TEST_F(JsonKinds, RefusesWellKnownTypesOutOfRangeWithTheirField) {
  for (const auto& [json, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"at":"10000-01-01T00:00:00Z"})", "'at'"},
           {R"({"at":5})", "'at'"},
           {R"({"times":["1970-01-01T00:00:00Z","1969-02-29T00:00:00Z"]})", "'times[1]'"},
           {R"({"took":"315576000001s"})", "'took'"},
           {R"({"took":"1"})", "'took'"},
           {R"({"mask":"a_b"})", "'mask'"},
           {R"({"mask":"a,"})", "'mask'"},
           {R"({"free":[]})", "'free'"},
           {R"({"list":{}})", "'list'"},
           {R"({"wrapped":"x"})", "'wrapped"},
           {R"({"raw":"%"})", "'raw"},
           {R"({"empty":{"a":1}})", "'empty'"},
           {R"({"nothing":"X"})", "'nothing'"},
           {R"({"any":{"z":1}})", "'any'"},
           {R"({"any":{"@type":"n.Order"}})", "any"},
           {R"({"any":{"@type":"x/n.Missing"}})", "any"},
           {R"({"any":{"@type":"x/n.Order","q":1}})", "'any'"},
           {R"({"any":{"@type":"x/google.protobuf.Duration"}})", "'any'"},
           {R"({"any":{"@type":"x/google.protobuf.Duration","value":"1s","more":1}})", "'any'"},
           {R"({"one":null,"two":"x"})", "'two'"},
           {R"({"one":1,"none":null})", "'none'"}}) {
    const std::string error = refused("n.Known", json);
    EXPECT_NE(error.find(field), std::string::npos) << json << ": " << error;
  }
}

TEST_F(JsonKinds, SaysWhichTypeOfAnAnyIsNotKnown) {
  const auto result = pool_.json_to_bytes(type("n.Known"), R"({"any":{"@type":"x/n.Missing"}})");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().detail(unknown_type_detail), "n.Missing");
}

TEST_F(JsonKinds, RefusesNumbersOfAValueThatNoDoubleHolds) {
  for (const char* json : {R"({"value":9007199254740993})", R"({"free":{"id":18446744073709551615}})",
                           R"({"values":[100000000000000000001]})", R"({"list":[-9007199254740993.0]})"}) {
    EXPECT_NE(refused("n.Known", json).find("that a double holds exactly"), std::string::npos) << json;
  }
  expect_same("n.Known", R"({"value":9007199254740991,"list":[1e+20,0.1]})");
  EXPECT_EQ(through("n.Known", R"({"value":100000000000000000000})"), R"({"value":1e+20})");
}

TEST_F(JsonKinds, KeysOfAMapMayNotMeet) {
  EXPECT_EQ(refused("n.Maps", R"({"small":{"1":"a","01":"b"}})"),
            "field 'small' has the keys '01' and '1', which are the same int32; give one");
  EXPECT_NE(refused("n.Maps", R"({"large":{"7":"a","007":"b"}})"), "");
  EXPECT_NE(refused("n.Maps", R"({"words":{"a":1,"a":2}})"), "");
  EXPECT_NE(refused("n.Maps", R"({"small":{"1.0":"a"}})"), "");
  EXPECT_NE(refused("n.Maps", R"({"flags":{"True":"a"}})"), "");
  EXPECT_NE(refused("n.Maps", R"({"large":{"-1":"a"}})"), "");
}

TEST_F(JsonKinds, MapsAreShownByTheirKeys) {
  EXPECT_EQ(through("n.Maps", R"({"words":{"b":1,"a":2,"":3},"small":{"10":"x","9":"y","-1":"z"}})"),
            R"({"words":{"":3,"a":2,"b":1},"small":{"-1":"z","9":"y","10":"x"}})");
  EXPECT_EQ(
      through("n.Maps", R"({"large":{"18446744073709551615":"x","2":"y"},"flags":{"true":"t","false":"f"}})"),
      R"({"large":{"2":"y","18446744073709551615":"x"},"flags":{"false":"f","true":"t"}})");
  EXPECT_EQ(through("n.Known", R"({"free":{"b":1,"a":{"d":1,"c":2}}})"),
            R"({"free":{"a":{"c":2,"d":1},"b":1}})");
}

TEST_F(JsonKinds, EqualMessagesAreEqualBytes) {
  EXPECT_EQ(bytes("n.Maps", R"({"words":{"b":1,"a":2},"nested":{"2":{"words":{"y":1,"x":2}},"-1":{}}})"),
            bytes("n.Maps", R"({"nested":{"-1":{},"2":{"words":{"x":2,"y":1}}},"words":{"a":2,"b":1}})"));
  EXPECT_EQ(bytes("n.Known", R"({"free":{"b":1,"a":2}})"), bytes("n.Known", R"({"free":{"a":2.0,"b":1e0}})"));
  EXPECT_EQ(bytes("n.Known", R"({"any":{"@type":"x/n.Maps","words":{"b":1,"a":2}}})"),
            bytes("n.Known", R"({"any":{"words":{"a":2,"b":1},"@type":"x/n.Maps"}})"));
}

TEST_F(JsonKinds, FieldsAreInTheOrderOfTheProto) {
  EXPECT_EQ(through("n.Order", R"({"a":"2","m":"3","z":"1"})"), R"({"z":"1","a":"2","m":"3"})");
  EXPECT_EQ(through("n.Order", R"({"a":"","maybe":""})"), R"({"a":"","maybe":""})");
}

TEST_F(JsonKinds, NullsStandForNothingExceptInLists) {
  EXPECT_EQ(through("n.Scalars", R"({"text":null,"i32":null,"color":null})"),
            R"({"i32":0,"text":"","color":"RED"})");
  EXPECT_EQ(through("n.Known", R"({"at":null,"wrapped":null,"values":null,"free":null})"),
            R"({"values":[]})");
  for (const char* json : {R"({"times":[null]})", R"({"times":["1970-01-01T00:00:00Z",null]})"})
    EXPECT_NE(refused("n.Known", json), "") << json;
  EXPECT_NE(refused("n.Deep", R"({"list":[null]})"), "");
  EXPECT_NE(refused("n.Maps", R"({"words":{"a":null}})"), "");
  expect_same("n.Maps", R"({"free":{"a":null}})");
}

TEST_F(JsonKinds, Proto2GroupsAndExtensionsGoThereAndBack) {
  expect_same(
      "o.Old",
      R"({"name":"x","size":7,"row":[{"cell":"a"},{"cell":""}],"level":"HIGH","single":{"x":5},"[o.note]":"n"})");
  EXPECT_NE(refused("o.Old", R"({"name":"x","[o.other]":"n"})"), "");
  EXPECT_NE(refused("o.Old", R"({"name":"x","level":3})"), "");
}

TEST_F(JsonKinds, ARequiredFieldIsAskedFor) {
  EXPECT_EQ(refused("o.Old", "{}"), "field 'name' of o.Old is required and is missing");
  EXPECT_EQ(refused("o.Old", R"({"name":"a","inner":{"size":1}})"),
            "field 'inner.name' of o.Old is required and is missing");
  EXPECT_NE(refused("n.Known", R"({"any":{"@type":"x/o.Old"}})").find("'any.name'"), std::string::npos);
}

TEST_F(JsonKinds, AMissingRequiredFieldIsAProblemAndTheRestIsShown) {
  const MessageJson json = shown("o.Old", bytes("o.Raw", R"({"size":3})"));
  EXPECT_EQ(json.value.dump(), R"({"size":3,"row":[],"level":"HIGH"})");
  ASSERT_EQ(json.problems.size(), 1U);
  EXPECT_EQ(json.status("o.Old").message(),
            "o.Old cannot be written as JSON: field 'name' is required and is missing");
}

TEST_F(JsonKinds, AProto2StringThatIsNotUtf8IsAProblem) {
  const MessageJson json = shown("o.Old", bytes("o.Raw", R"({"name":"Y2Fm6Q=="})"));
  EXPECT_EQ(json.value["name"], "caf\xef\xbf\xbd");
  ASSERT_EQ(json.problems.size(), 1U);
  EXPECT_EQ(json.problems[0].field, "name");
}

TEST_F(JsonKinds, AProto3StringThatIsNotUtf8IsNoMessage) {
  EXPECT_FALSE(pool_.message_json(type("n.Scalars"), bytes("n.Bytes", R"({"text":"Y2Fm6Q=="})")));
}

TEST_F(JsonKinds, AnAnyOfAnUnknownTypeIsAProblemAndTheRestIsShown) {
  SchemaPool other;
  ASSERT_EQ(other.add(test::schema_set(
                {{"n.proto", new_schema}, {"s.proto", "package s; message Secret { string word = 1; }"}})),
            Status());
  const auto encoded = other.json_to_bytes(*other.find_message("n.Known"),
                                           R"({"any":{"@type":"x/s.Secret","word":"psst"},"rest":"here"})");
  ASSERT_TRUE(encoded);
  const MessageJson json = shown("n.Known", *encoded);
  EXPECT_EQ(json.value["rest"], "here");
  EXPECT_EQ(json.value["any"].dump(), R"({"@type":"x/s.Secret","value":"CgRwc3N0"})");
  ASSERT_EQ(json.problems.size(), 1U);
  EXPECT_EQ(json.problems[0].field, "any");
  EXPECT_EQ(json.problems[0].unknown_type, "s.Secret");
  EXPECT_EQ(shown("n.Known", *encoded, true).value["any"].dump(), R"({"@type":"x/s.Secret","bytes":6})")
      << "nobody knows what in it is secret";
}

TEST_F(JsonKinds, TimesOutOfRangeAreProblemsWithTheirFields) {
  SchemaPool raw;
  ASSERT_EQ(
      raw.add(test::schema_set({{"r.proto", R"(package r; message T { int64 seconds = 1; int32 nanos = 2; }
      message K { T at = 1; T took = 2; repeated T times = 14; string rest = 15; })"}})),
      Status());
  const auto encoded = raw.json_to_bytes(
      *raw.find_message("r.K"),
      R"({"at":{"seconds":"253402300800"},"took":{"seconds":1,"nanos":-1},"times":[{},{"nanos":-5}],"rest":"here"})");
  ASSERT_TRUE(encoded);
  const MessageJson json = shown("n.Known", *encoded);
  EXPECT_EQ(json.value["rest"], "here");
  EXPECT_EQ(json.value["times"][0], "1970-01-01T00:00:00Z");
  ASSERT_EQ(json.problems.size(), 3U);
  EXPECT_EQ(json.problems[0].field, "at");
  EXPECT_EQ(json.problems[1].field, "took");
  EXPECT_EQ(json.problems[2].field, "times[1]");
  EXPECT_NE(json.status("the reply").message().find("field 'at' is a time outside of the years 0001 to 9999"),
            std::string::npos);
  EXPECT_NE(json.status("the reply").message().find("and 2 more fields"), std::string::npos);
}

TEST_F(JsonKinds, AValueThatHoldsNothingOrNoNumberIsAProblem) {
  SchemaPool raw;
  ASSERT_EQ(
      raw.add(test::schema_set(
          {{"r.proto",
            R"(package r; message V { double number = 2; } message K { V value = 5; repeated V values = 13; })"}})),
      Status());
  const auto encoded =
      raw.json_to_bytes(*raw.find_message("r.K"), R"({"value":{},"values":[{"number":"NaN"}]})");
  ASSERT_TRUE(encoded);
  const MessageJson json = shown("n.Known", *encoded);
  ASSERT_EQ(json.problems.size(), 2U);
  EXPECT_EQ(json.problems[0].field, "value");
  EXPECT_EQ(json.problems[1].field, "values[0]");
}

// `levels` messages within one another.
std::string nested(int levels) {
  std::string json;
  for (int i = 1; i < levels; ++i) json += R"({"self":)";
  return json + "{}" + std::string(static_cast<std::size_t>(levels - 1), '}');
}

TEST_F(JsonKinds, WhatIsReadIsNoDeeperThanAReceiverTakes) {
  google::protobuf::DynamicMessageFactory factory;
  const auto takes = [&](const std::string& encoded) {
    const std::unique_ptr<google::protobuf::Message> message(factory.GetPrototype(type("n.Deep"))->New());
    return message->ParseFromString(encoded);
  };
  EXPECT_TRUE(takes(bytes("n.Deep", nested(100))));
  // Each map takes two levels, an entry and its value.
  std::string maps = "{}";
  for (int i = 0; i < 50; ++i) maps = R"({"named":{"a":)" + maps + "}}";
  EXPECT_NE(refused("n.Deep", maps), "");
  maps = "{}";
  for (int i = 0; i < 49; ++i) maps = R"({"named":{"a":)" + maps + "}}";
  EXPECT_TRUE(takes(bytes("n.Deep", maps)));
  std::string lists;
  for (int i = 0; i < 60; ++i) lists += '[';
  const std::string value = R"({"value":)" + lists + std::string(60, ']') + "}";
  EXPECT_NE(refused("n.Known", value).find("over 100 messages deep"), std::string::npos);
}

TEST_F(JsonKinds, WhatIsWrittenEndsAtTheBoundAndSaysSo) {
  std::string deep;
  for (int i = 0; i < 150; ++i) {
    std::string outer = "\x0a";
    for (std::size_t size = deep.size();; size >>= 7) {
      outer += static_cast<char>(size >= 0x80 ? (size & 0x7f) | 0x80 : size);
      if (size < 0x80) break;
    }
    deep = outer + deep;
  }
  const MessageJson json = shown("n.Deep", deep + "\x2a\x04here");
  EXPECT_EQ(json.value["word"], "here");
  ASSERT_EQ(json.problems.size(), 1U);
  EXPECT_NE(json.problems[0].reason.find("nested over 100 levels"), std::string::npos);
  EXPECT_EQ(shown("n.Deep", bytes("n.Deep", nested(100))).problems.size(), 0U);
}

TEST_F(JsonKinds, AnEmptyRequestAsItsTemplateShowsItIsTaken) {
  for (const char* name : {"n.Scalars", "n.Known", "n.Maps", "n.Deep", "n.Order", "o.Old"}) {
    EXPECT_TRUE(pool_.json_to_bytes(type(name), SchemaPool::template_json(type(name)))) << name;
  }
}

}  // namespace
}  // namespace cobus
