// SPDX-License-Identifier: Apache-2.0
//
// Generator: turns the services of one .proto into x.cobus.h and x.cobus.cc. Each service S becomes
// SService, an abstract base class whose methods are coroutines, and SStub, which calls them over
// the bus. A .proto without services gives two empty files, since build rules expect both.
// Runs inside protoc-gen-cobus only, on one thread; messages come from protoc's own x.pb.h.
#pragma once

#include <google/protobuf/compiler/code_generator.h>
#include <google/protobuf/descriptor.h>

#include <string>

namespace cobus::plugin {

class Generator final : public google::protobuf::compiler::CodeGenerator {
 public:
  // Writes both files. False, with `error` saying which service or method is at fault and what to do,
  // for a name that C++ or cobus already uses, and for any parameter.
  bool Generate(const google::protobuf::FileDescriptor* file, const std::string& parameter,
                google::protobuf::compiler::GeneratorContext* context, std::string* error) const override;

  [[nodiscard]] std::uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }
};

}  // namespace cobus::plugin
