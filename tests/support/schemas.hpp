// SPDX-License-Identifier: Apache-2.0
//
// Schemas written as .proto text in the middle of a test.
#pragma once

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

namespace cobus::test {

class FailingCollector final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int /*column*/, const std::string& message) override {
    ADD_FAILURE() << "the .proto text of this test, line " << line + 1 << ": " << message;
  }
};

// `text` is what stands behind `syntax = "proto3";`, or begins with another syntax.
inline google::protobuf::FileDescriptorProto parse_proto(const std::string& name, const std::string& text) {
  const std::string whole = text.starts_with("syntax") ? text : "syntax = \"proto3\";\n" + text;
  google::protobuf::io::ArrayInputStream stream(whole.data(), static_cast<int>(whole.size()));
  FailingCollector collector;
  google::protobuf::io::Tokenizer tokenizer(&stream, &collector);
  google::protobuf::compiler::Parser parser;
  parser.RecordErrorsTo(&collector);
  google::protobuf::FileDescriptorProto file;
  parser.Parse(&tokenizer, &file);
  file.set_name(name);
  return file;
}

inline google::protobuf::FileDescriptorSet schema_set(
    std::initializer_list<std::pair<std::string, std::string>> files) {
  google::protobuf::FileDescriptorSet set;
  for (const auto& [name, text] : files) *set.add_file() = parse_proto(name, text);
  return set;
}

}  // namespace cobus::test
