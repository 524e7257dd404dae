// SPDX-License-Identifier: Apache-2.0
#include "proto/plugin/generator.hpp"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/support/schemas.hpp"

namespace cobus::plugin {
namespace {

class FilesInMemory final : public google::protobuf::compiler::GeneratorContext {
 public:
  google::protobuf::io::ZeroCopyOutputStream* Open(const std::string& name) override {
    return new google::protobuf::io::StringOutputStream(&files[name]);
  }
  std::map<std::string, std::string> files;
};

class PluginGenerator : public testing::Test {
 protected:
  // What the generator says is wrong with `text` as file a/b.proto; empty when it wrote the files.
  std::string generate(const std::string& text, const std::string& parameter = "") {
    pool_.BuildFile(
        test::parse_proto("other.proto", "package other.deep; message Outer { message Inner {} }"));
    const auto* const file = pool_.BuildFile(test::parse_proto("a/b.proto", text));
    EXPECT_NE(file, nullptr);
    std::string error;
    EXPECT_EQ(Generator().Generate(file, parameter, &context_, &error), error.empty());
    return error;
  }
  bool header_has(const std::string& text) {
    return context_.files["a/b.cobus.h"].find(text) != std::string::npos;
  }
  bool source_has(const std::string& text) {
    return context_.files["a/b.cobus.cc"].find(text) != std::string::npos;
  }

  google::protobuf::DescriptorPool pool_;
  FilesInMemory context_;
};

TEST_F(PluginGenerator, WritesABaseClassAndAStub) {
  ASSERT_EQ(generate("package text; message Q {} message R {} service Text { rpc Count(Q) returns (R); }"),
            "");
  EXPECT_TRUE(header_has("#include \"a/b.pb.h\"\n"));
  EXPECT_TRUE(header_has("namespace text {\n"));
  EXPECT_TRUE(header_has("class TextService : public ::cobus::Service {\n"));
  EXPECT_TRUE(header_has("service_name = \"text.Text\";\n"));
  EXPECT_TRUE(header_has(
      "virtual ::cobus::Task<::cobus::Result<::text::R>> Count(::cobus::Call call, ::text::Q request);"));
  EXPECT_TRUE(header_has("class TextStub {\n"));
  EXPECT_TRUE(source_has("#include \"a/b.cobus.h\"\n"));
  EXPECT_TRUE(source_has(
      "::cobus::unary_method<TextService, ::text::Q, ::text::R, &TextService::Count>(\"Count\")});"));
  EXPECT_TRUE(source_has(
      "co_return ::cobus::fail(::cobus::Code::unimplemented, \"text.Text/Count is not implemented here\");"));
}

TEST_F(PluginGenerator, MakesAStreamOfAStreamingMethod) {
  ASSERT_EQ(generate("package text; message Q {} service Text { rpc Grep(Q) returns (stream Q); }"), "");
  EXPECT_TRUE(header_has("virtual ::cobus::Stream<::text::Q> Grep(::cobus::Call call, ::text::Q request);"));
  EXPECT_TRUE(header_has(
      "::cobus::ItemStream<::text::Q> Grep(::text::Q request, ::cobus::CallOptions options = {}) const;"));
  EXPECT_TRUE(source_has(
      "::cobus::stream_method<TextService, ::text::Q, ::text::Q, &TextService::Grep>(\"Grep\")});"));
  EXPECT_TRUE(source_has("co_yield ::cobus::fail(::cobus::Code::unimplemented, "));
}

TEST_F(PluginGenerator, NamesNestedTypesOfOtherPackages) {
  ASSERT_EQ(generate("package a.b; import 'other.proto';"
                     "service S { rpc M(other.deep.Outer.Inner) returns (other.deep.Outer); }"),
            "");
  EXPECT_TRUE(header_has("namespace a::b {\n"));
  EXPECT_TRUE(
      header_has("Result<::other::deep::Outer>> M(::cobus::Call call, ::other::deep::Outer_Inner request);"));
}

TEST_F(PluginGenerator, DoesWithoutAPackage) {
  ASSERT_EQ(generate("message Q {} service S { rpc M(Q) returns (Q); }"), "");
  EXPECT_FALSE(header_has("namespace"));
  EXPECT_TRUE(header_has("service_name = \"S\";\n"));
}

TEST_F(PluginGenerator, WritesBothFilesWithoutServices) {
  ASSERT_EQ(generate("package text; message Q {}"), "");
  EXPECT_EQ(context_.files.size(), 2U);
  EXPECT_TRUE(header_has("#include \"a/b.pb.h\"\n"));
  EXPECT_FALSE(header_has("cobus/service.hpp"));
}

TEST_F(PluginGenerator, GivesAStreamOfRequestsToTheHandlerAndASenderToTheCaller) {
  ASSERT_EQ(
      generate("package text; message Q {} message R {} service Text { rpc Up(stream Q) returns (R); }"), "");
  EXPECT_TRUE(
      header_has("virtual ::cobus::Task<::cobus::Result<::text::R>> Up(::cobus::Call call, "
                 "::cobus::Incoming<::text::Q> requests);"));
  EXPECT_TRUE(
      header_has("::cobus::Outgoing<::text::Q, ::text::R> Up(::cobus::CallOptions options = {}) const;"));
  EXPECT_TRUE(
      source_has("::cobus::incoming_method<TextService, ::text::Q, ::text::R, &TextService::Up>(\"Up\")});"));
  EXPECT_TRUE(source_has("co_return ::cobus::fail(::cobus::Code::unimplemented, "));
  EXPECT_TRUE(
      source_has("return ::cobus::open_outgoing<::text::Q, ::text::R>(self_, node_, \"text.Text/Up\", "
                 "std::move(options));"));
}

TEST_F(PluginGenerator, MakesAnExchangeOfStreamsBothWays) {
  ASSERT_EQ(
      generate(
          "package text; message Q {} message R {} service Text { rpc Chat(stream Q) returns (stream R); }"),
      "");
  EXPECT_TRUE(
      header_has("virtual ::cobus::Stream<::text::R> Chat(::cobus::Call call, "
                 "::cobus::Incoming<::text::Q> requests);"));
  EXPECT_TRUE(
      header_has("::cobus::Exchange<::text::Q, ::text::R> Chat(::cobus::CallOptions options = {}) const;"));
  EXPECT_TRUE(source_has(
      "::cobus::exchange_method<TextService, ::text::Q, ::text::R, &TextService::Chat>(\"Chat\")});"));
  EXPECT_TRUE(source_has("co_yield ::cobus::fail(::cobus::Code::unimplemented, "));
}

TEST_F(PluginGenerator, RefusesNamesThatTheClassNeeds) {
  for (const char* name : {"info", "service_name", "TextService", "TextStub", "delete"}) {
    google::protobuf::DescriptorPool pool;
    const auto* const file = pool.BuildFile(test::parse_proto(
        "a.proto", std::string("message Q {} service Text { rpc ") + name + "(Q) returns (Q); }"));
    std::string error;
    EXPECT_FALSE(Generator().Generate(file, "", &context_, &error));
    EXPECT_TRUE(error.starts_with(std::string("Text/") + name + ": the name is taken")) << error;
  }
}

TEST_F(PluginGenerator, RefusesAMessageNamedLikeAGeneratedClass) {
  EXPECT_EQ(
      generate("package text; message TextStub {} service Text {}"),
      "text.Text: its generated class would be named like the message text.TextStub; rename one of them");
}

TEST_F(PluginGenerator, RefusesParameters) {
  EXPECT_EQ(generate("message Q {}", "fast"),
            "protoc-gen-cobus takes no parameter, but got 'fast'; write --cobus_out=DIR");
}

}  // namespace
}  // namespace cobus::plugin
